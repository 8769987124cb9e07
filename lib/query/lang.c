#include "query/lang.h"

#include <ctype.h>
#include <stdlib.h>

#include "query/expr.h"
#include "query/field.h"

struct row {
	const char *key;
	const char *lang;
};

/* By extension, in byte order. */
static const struct row by_ext[] = {
	{"ada", "ada"},
	{"adb", "ada"},
	{"ads", "ada"},
	{"asm", "assembly"},
	{"awk", "awk"},
	{"bash", "shell"},
	{"bat", "batch"},
	{"bzl", "starlark"},
	{"c", "c"},
	{"c++", "c++"},
	{"cc", "c++"},
	{"cfg", "ini"},
	{"clj", "clojure"},
	{"cljs", "clojure"},
	{"cmake", "cmake"},
	{"coffee", "coffeescript"},
	{"conf", "ini"},
	{"cpp", "c++"},
	{"cs", "c#"},
	{"css", "css"},
	{"csv", "csv"},
	{"cu", "cuda"},
	{"cxx", "c++"},
	{"d", "d"},
	{"dart", "dart"},
	{"diff", "diff"},
	{"dts", "devicetree"},
	{"dtsi", "devicetree"},
	{"el", "lisp"},
	{"erl", "erlang"},
	{"ex", "elixir"},
	{"exs", "elixir"},
	{"f", "fortran"},
	{"f90", "fortran"},
	{"fish", "shell"},
	{"fs", "f#"},
	{"glsl", "glsl"},
	{"go", "go"},
	{"gradle", "groovy"},
	{"graphql", "graphql"},
	{"groovy", "groovy"},
	{"h", "c"},
	{"hh", "c++"},
	{"hpp", "c++"},
	{"hrl", "erlang"},
	{"hs", "haskell"},
	{"htm", "html"},
	{"html", "html"},
	{"hxx", "c++"},
	{"inc", "c"},
	{"ini", "ini"},
	{"ipynb", "notebook"},
	{"java", "java"},
	{"jl", "julia"},
	{"js", "javascript"},
	{"json", "json"},
	{"jsx", "javascript"},
	{"ksh", "shell"},
	{"kt", "kotlin"},
	{"kts", "kotlin"},
	{"less", "css"},
	{"lisp", "lisp"},
	{"lua", "lua"},
	{"m", "objective-c"},
	{"m4", "m4"},
	{"mak", "make"},
	{"md", "markdown"},
	{"mjs", "javascript"},
	{"mk", "make"},
	{"ml", "ocaml"},
	{"mli", "ocaml"},
	{"mm", "objective-c"},
	{"nim", "nim"},
	{"nix", "nix"},
	{"org", "org"},
	{"pas", "pascal"},
	{"patch", "diff"},
	{"php", "php"},
	{"pl", "perl"},
	{"pm", "perl"},
	{"po", "gettext"},
	{"pod", "perl"},
	{"proto", "protobuf"},
	{"ps1", "powershell"},
	{"py", "python"},
	{"pyi", "python"},
	{"pyx", "python"},
	{"r", "r"},
	{"rb", "ruby"},
	{"rkt", "lisp"},
	{"rs", "rust"},
	{"rst", "rst"},
	{"s", "assembly"},
	{"sass", "css"},
	{"sc", "scala"},
	{"scala", "scala"},
	{"scm", "lisp"},
	{"scss", "css"},
	{"sed", "sed"},
	{"sh", "shell"},
	{"sql", "sql"},
	{"sv", "verilog"},
	{"svelte", "svelte"},
	{"svg", "xml"},
	{"swift", "swift"},
	{"tcl", "tcl"},
	{"tex", "tex"},
	{"tf", "terraform"},
	{"toml", "toml"},
	{"ts", "typescript"},
	{"tsv", "csv"},
	{"tsx", "typescript"},
	{"txt", "text"},
	{"v", "verilog"},
	{"vala", "vala"},
	{"vb", "basic"},
	{"vhd", "vhdl"},
	{"vhdl", "vhdl"},
	{"vim", "vim"},
	{"vue", "vue"},
	{"xml", "xml"},
	{"xsd", "xml"},
	{"xsl", "xml"},
	{"yaml", "yaml"},
	{"yml", "yaml"},
	{"zig", "zig"},
	{"zsh", "shell"},
};

/* By whole name in lower case, in byte order. */
static const struct row by_name[] = {
	{".bashrc", "shell"},
	{".profile", "shell"},
	{".vimrc", "vim"},
	{".zshrc", "shell"},
	{"cmakelists.txt", "cmake"},
	{"containerfile", "docker"},
	{"dockerfile", "docker"},
	{"gemfile", "ruby"},
	{"gnumakefile", "make"},
	{"justfile", "make"},
	{"kbuild", "make"},
	{"kconfig", "kconfig"},
	{"makefile", "make"},
	{"meson.build", "meson"},
	{"rakefile", "ruby"},
	{"vagrantfile", "ruby"},
};

#define LANG_KEY_MAX_BYTES 16u

static int
row_compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct row *)row)->key);
}

static const char *
find_row(struct span key, const struct row *rows, size_t n)
{
	char low[LANG_KEY_MAX_BYTES + 1];
	const struct row *found;

	if (key.len == 0 || key.len > LANG_KEY_MAX_BYTES)
		return "";
	for (size_t i = 0; i < key.len; i++)
		low[i] = (char)tolower((unsigned char)key.data[i]);
	low[key.len] = '\0';
	found = bsearch(low, rows, n, sizeof(*rows), row_compare);
	return found ? found->lang : "";
}

const char *
lang_of(struct span name)
{
	const char *dot = name.len ? memrchr(name.data, '.', name.len) : NULL;
	const char *lang = find_row(name, by_name, ARRAY_LEN(by_name));
	struct span ext;

	if (*lang || !dot)
		return lang;
	ext = (struct span){dot + 1, (size_t)(name.data + name.len - dot - 1)};
	return find_row(ext, by_ext, ARRAY_LEN(by_ext));
}

bool
lang_known(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(by_ext); i++) {
		if (span_eq(name, span_of(by_ext[i].lang)))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(by_name); i++) {
		if (span_eq(name, span_of(by_name[i].lang)))
			return true;
	}
	return false;
}

const char *
lang_nearest(struct span name)
{
	const char *words[ARRAY_LEN(by_ext)];
	int at;

	for (size_t i = 0; i < ARRAY_LEN(by_ext); i++) {
		/* lang:py, lang:rs: the extension instead of the name. */
		if (span_eq(name, span_of(by_ext[i].key)))
			return by_ext[i].lang;
		words[i] = by_ext[i].lang;
	}
	at = nearest_word(name, words, ARRAY_LEN(words));
	return at < 0 ? NULL : words[at];
}
