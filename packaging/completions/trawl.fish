# fish completion for trawl(1). Roots come from the running daemon, everything else from here.

set -l commands search grep du top stats dupes sql since watch clock stat why roots status wait rescan reload help

function __trawl_roots
    trawl roots --json --timeout=1 2>/dev/null | string match -rg '"name":"([^"\\\\]*)"'
end

function __trawl_is_search
    set -l words (commandline -opc)
    test (count $words) -lt 2; and return 0
    contains -- $words[2] grep du top stats dupes sql since watch clock stat why roots status wait rescan reload help; and return 1
    return 0
end

function __trawl_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

function __trawl_queries
    __trawl_is_search; or __trawl_is grep stats dupes since watch
end

complete -c trawl -f
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a search -d 'find entries'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a grep -d 'find lines'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a du -d 'how much is below paths'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a top -d 'the largest entries below a directory'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a stats -d 'what a query selects, in groups'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a dupes -d 'files with equal contents'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a sql -d 'a SELECT over files and dirs'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a since -d 'what has changed since a clock'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a watch -d 'what changes, as it happens'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a clock -d 'the clock of the index'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a stat -d 'what the index knows of a path'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a why -d 'why a path is, or is not, in the index'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a roots -d 'the trees that are indexed'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a status -d 'how the daemon is'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a wait -d 'wait until the roots are indexed'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a rescan -d 'walk roots again'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a reload -d 'read the configuration again'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -a help -d 'options, and the query language'
complete -c trawl -n "test (count (commandline -opc)) -eq 1" -l version -d 'the version'

complete -c trawl -l color -x -a 'auto always never' -d 'colour the output'
complete -c trawl -l address -r -F -d 'host:port or socket of the daemon'
complete -c trawl -l timeout -x -d 'give up after so many seconds'
complete -c trawl -l json -d 'one JSON object a line'
complete -c trawl -l sync -d 'wait until the index has all that happened'
complete -c trawl -l help -d 'show the options'
complete -c trawl -n 'not __trawl_is du' -s h -d 'show the options'

complete -c trawl -n __trawl_queries -a 'name: path: ext: type: in: depth: size: mtime: ctime: user: group: perm: links: empty: dupe: lang: content: case:'
complete -c trawl -n __trawl_queries -l in -x -a '(__fish_complete_directories)' -d 'only below a directory'
complete -c trawl -n __trawl_queries -l case -x -a 'smart yes no' -d 'do capitals matter'
complete -c trawl -n __trawl_queries -s i -l ignore-case -d 'capitals do not matter'
complete -c trawl -n __trawl_queries -s s -l case-sensitive -d 'capitals matter'
complete -c trawl -n __trawl_queries -l stats -d 'how long it took, what was left out'
complete -c trawl -n __trawl_queries -l strict -d 'exit 3 when the answer is not complete'
complete -c trawl -n '__trawl_queries; or __trawl_is du top' -s 0 -l null -d 'NUL after each answer, line or path'
complete -c trawl -n '__trawl_is_search; or __trawl_is grep dupes' -s c -l count -d 'only counts'

set -l fields path name dir ext type size blocks mtime ctime mode user group uid gid inode links depth root lang
complete -c trawl -n __trawl_is_search -s l -l long -d 'mode, size and time before each path'
complete -c trawl -n __trawl_is_search -s n -l limit -x -d 'at most N answers'
complete -c trawl -n __trawl_is_search -l sort -x -a "(__fish_append , $fields)" -d 'sort by fields'
complete -c trawl -n __trawl_is_search -l fields -x -a "(__fish_append , $fields)" -d 'print these fields'

complete -c trawl -n '__trawl_is grep' -s e -l regexp -x -d 'a pattern'
complete -c trawl -n '__trawl_is grep' -s F -l fixed-strings -d 'the pattern is plain text'
complete -c trawl -n '__trawl_is grep' -s w -l word-regexp -d 'only whole words'
complete -c trawl -n '__trawl_is grep' -s x -l line-regexp -d 'only whole lines'
complete -c trawl -n '__trawl_is grep' -s l -l files-with-matches -d 'only paths'
complete -c trawl -n '__trawl_is grep' -s m -l max-count -x -d 'at most N lines a file'
complete -c trawl -n '__trawl_is grep' -l limit -x -d 'at most N answers in all'
complete -c trawl -n '__trawl_is grep' -s A -l after-context -x -d 'lines after'
complete -c trawl -n '__trawl_is grep' -s B -l before-context -x -d 'lines before'
complete -c trawl -n '__trawl_is grep' -s C -l context -x -d 'lines before and after'
complete -c trawl -n '__trawl_is grep' -s n -l line-number -d 'line numbers'
complete -c trawl -n '__trawl_is grep' -s N -l no-line-number -d 'no line numbers'
complete -c trawl -n '__trawl_is grep' -l column -d 'column of the first match'
complete -c trawl -n '__trawl_is grep' -l heading -d 'the path above its lines'
complete -c trawl -n '__trawl_is grep' -l no-heading -d 'the path before each line'

complete -c trawl -n '__trawl_is du' -s a -l all -d 'files too'
complete -c trawl -n '__trawl_is du' -s A -l apparent-size -d 'bytes in files'
complete -c trawl -n '__trawl_is du' -s c -l total -d 'a last line for all paths'
complete -c trawl -n '__trawl_is du' -s d -l max-depth -x -d 'down to N levels'
complete -c trawl -n '__trawl_is du' -s h -l human-readable -d 'sizes as 1.2K, 34M'
complete -c trawl -n '__trawl_is du' -s k -l kib -d 'in KiB'
complete -c trawl -n '__trawl_is du' -s m -l mib -d 'in MiB'
complete -c trawl -n '__trawl_is du' -s s -l summarize -d 'only the paths themselves'
complete -c trawl -n '__trawl_is du' -l strict -d 'exit 3 when something could not be counted'
complete -c trawl -n '__trawl_is du top' -s l -l count-links -d 'count each hard link'
complete -c trawl -n '__trawl_is du top' -s x -l one-file-system -d 'leave out other file systems'
complete -c trawl -n '__trawl_is du top stats dupes' -s b -l bytes -d 'in bytes'
complete -c trawl -n '__trawl_is top' -l by -x -a 'size disk count' -d 'what is compared'
complete -c trawl -n '__trawl_is top' -s t -l type -x -a 'any dirs files' -d 'which entries'
complete -c trawl -n '__trawl_is top stats' -s d -l depth -x -d 'down to N levels'
complete -c trawl -n '__trawl_is top stats dupes' -s n -l limit -x -d 'only the first N'
complete -c trawl -n '__trawl_is stats' -s g -l by -x -a 'none ext type user group age size root dir' -d 'a group for each'
complete -c trawl -n '__trawl_is stats' -l sort -x -a 'size disk count key' -d 'what comes first'
complete -c trawl -n '__trawl_is dupes' -s f -l omit-first -d 'without the first of each group'
complete -c trawl -n '__trawl_is dupes' -s H -l hard-links -d 'every name of a file'
complete -c trawl -n '__trawl_is dupes' -s S -l size -d 'the size above each group'

complete -c trawl -n '__trawl_is stat why du' -F
complete -c trawl -n '__trawl_is top' -x -a '(__fish_complete_directories)'
complete -c trawl -n '__trawl_is wait rescan' -a '(__trawl_roots)'
complete -c trawl -n '__trawl_is wait rescan' -s q -l quiet -d 'no progress'
complete -c trawl -n '__trawl_is rescan' -s w -l wait -d 'wait until it is done'
complete -c trawl -n '__trawl_is help' -a "$commands query"
complete -c trawl -n '__trawl_is sql' -s n -l limit -x -d 'only the first N rows'
complete -c trawl -n '__trawl_is sql' -l format -x -a 'table tsv csv json' -d 'how rows are written'
complete -c trawl -n '__trawl_is sql' -s H -l header -d 'names of the columns first'
complete -c trawl -n '__trawl_is sql' -s 0 -l null -d 'end each row with NUL'
complete -c trawl -n '__trawl_is sql' -l stats -d 'say how long it took'
complete -c trawl -n '__trawl_is watch' -l since -x -d 'begin with what has changed since a clock'
complete -c trawl -n '__trawl_is watch' -s x -l exec -x -a '(__fish_complete_command)' -d 'run a command for each change'
complete -c trawl -n '__trawl_is status' -l stats -d 'every counter'
complete -c trawl -n '__trawl_is reload' -s w -l wait -d 'wait for the verdict'
