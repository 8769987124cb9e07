# units, configuration, man pages
