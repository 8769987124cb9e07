#!/bin/sh
# sh bench/corpora.sh [DIR]: unpack the texts that contents are measured on, from Debian's packages, into DIR, by
# default /var/tmp. What is there stays. One directory each:
#
#     linux     the source of Linux 6.1, 1.2 GB: C
#     docs      manuals of OpenJDK and GHC, 560 MB: HTML, prose, few distinct words
#     scripts   minified JavaScript, JSON on one line, help in Chinese, Japanese, Korean and Russian, 500 MB
set -eu
dir=${1:-/var/tmp}
mkdir -p "$dir"
cd "$dir"

unpack() {
	# unpack NAME PACKAGE...: the packages' files, once.
	name=$1
	shift
	[ -d "$name" ] && return
	rm -rf "$name.new"
	mkdir -p "$name.new/deb"
	# apt's own user may not write here; it says so and goes on.
	(cd "$name.new/deb" && apt-get -qq download "$@")
	for deb in "$name.new"/deb/*.deb; do
		dpkg-deb -x "$deb" "$name.new"
	done
	rm -rf "$name.new/deb"
	mv "$name.new" "$name"
}

if [ ! -d linux ]; then
	unpack linux-package linux-source-6.1
	mkdir -p linux.new
	tar -xf linux-package/usr/src/linux-source-6.1.tar.xz -C linux.new --strip-components=1
	mv linux.new linux
	rm -rf linux-package
fi
unpack docs openjdk-17-doc ghc-doc
unpack scripts node-typescript libjs-mathjax libjs-moment-timezone kicad-doc-ja \
	libreoffice-help-ja libreoffice-help-ko libreoffice-help-zh-cn libreoffice-help-zh-tw libreoffice-help-ru
for name in linux docs scripts; do
	printf '%s/%s %s\n' "$dir" "$name" "$(du -sh --apparent-size "$name" | cut -f1)"
done
