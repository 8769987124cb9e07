# bash completion for trawl(1). Roots come from the running daemon, everything else from here.

_trawl_fields='path name dir ext type size blocks mtime ctime mode user group uid gid inode links depth root lang'

_trawl_roots() {
	trawl roots --json --timeout=1 2>/dev/null | sed -n 's/.*"name":"\([^"\\]*\)".*/\1/p'
}

_trawl_query_words() {
	COMPREPLY=($(compgen -W 'name: path: ext: type: in: depth: size: mtime: ctime: user: group:
		perm: links: empty: dupe: lang: content: case:' -- "$1"))
	[[ ${#COMPREPLY[@]} -gt 0 ]] && compopt -o nospace
}

# After a ',' the part before it stays.
_trawl_list() {
	local cur=$1 head=
	[[ $cur == *,* ]] && head=${cur%,*},
	COMPREPLY=($(compgen -P "$head" -W "$_trawl_fields" -- "${cur##*,}"))
	compopt -o nospace
}

_trawl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=search word
	local commands='search grep du top stats dupes sql since watch clock stat why roots status wait rescan reload help'
	local common='--color= --address= --timeout= --json --help'
	local selection='--in= --case= --ignore-case --case-sensitive --stats --strict --limit='
	COMPREPLY=()

	[[ $COMP_CWORD -gt 1 && " $commands " == *" ${COMP_WORDS[1]} "* ]] && command=${COMP_WORDS[1]}
	# "=" is a word of its own to readline.
	[[ $cur == '=' ]] && cur=
	[[ $prev == '=' ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	case $prev in
	--color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
	--case) COMPREPLY=($(compgen -W 'smart yes no' -- "$cur")); return ;;
	--by | -g)
		case $command in
		top) COMPREPLY=($(compgen -W 'size disk count' -- "$cur")) ;;
		stats) COMPREPLY=($(compgen -W 'none ext type user group age size root dir' -- "$cur")) ;;
		esac
		return
		;;
	--type | -t) [[ $command == top ]] && COMPREPLY=($(compgen -W 'any dirs files' -- "$cur")); return ;;
	--in) compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--sort)
		if [[ $command == stats ]]; then
			COMPREPLY=($(compgen -W 'size disk count key' -- "$cur"))
		else
			_trawl_list "$cur"
		fi
		return
		;;
	--fields) _trawl_list "$cur"; return ;;
	--address | --timeout | --limit | --depth | --max-depth | -d | -n | -m | -A | -B | -C | -e) return ;;
	esac

	if [[ $cur == -* ]]; then
		case $command in
		search) word="--long --count --null --sort= --fields= $selection" ;;
		grep) word="--regexp= --fixed-strings --word-regexp --line-regexp --files-with-matches
			--count --max-count= --after-context= --before-context= --context= --line-number
			--no-line-number --column --heading --no-heading --null $selection" ;;
		du) word='--all --apparent-size --bytes --total --max-depth= --human-readable --kib --count-links
			--mib --summarize --one-file-system --null --strict' ;;
		top) word='--by= --limit= --depth= --type= --bytes --count-links --one-file-system --null' ;;
		stats) word="--by= --sort= --depth= --bytes --null $selection" ;;
		sql) word='--limit= --format= --header --null --stats' ;;
		dupes) word="--omit-first --hard-links --size --count --bytes --null $selection" ;;
		wait) word=--quiet ;;
		rescan) word='--wait --quiet' ;;
		reload) word=--wait ;;
		status) word=--stats ;;
		since) word="--null $selection" ;;
		watch) word='--null --since= --in= --case= --exec' ;;
		*) word= ;;
		esac
		[[ $COMP_CWORD -eq 1 ]] && word+=' --version'
		COMPREPLY=($(compgen -W "$word $common" -- "$cur"))
		[[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace
		return
	fi
	case $command in
	top) compopt -o filenames; COMPREPLY=($(compgen -d -- "$cur")) ;;
	stat | why | du) compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")) ;;
	wait | rescan) COMPREPLY=($(compgen -W "$(_trawl_roots)" -- "$cur")) ;;
	help) COMPREPLY=($(compgen -W "$commands query" -- "$cur")) ;;
	search | grep | stats | dupes | watch)
		_trawl_query_words "$cur"
		if [[ $COMP_CWORD -eq 1 && -n $cur ]]; then
			COMPREPLY+=($(compgen -W "$commands" -- "$cur"))
		elif [[ $COMP_CWORD -eq 1 ]]; then
			COMPREPLY=($(compgen -W "$commands"))
			compopt +o nospace
		fi
		[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} != *: ]] && compopt +o nospace
		;;
	esac
}

complete -F _trawl trawl
