/**
 * verify_index: proves the saved index: every segment that the catalog names, with all checksums
 * and all invariants of lib/index/FORMAT.md.
 *
 * Nothing is written but to standard output, and a running daemon is not disturbed.
 */
#pragma once

/** `trawld --verify` with this configuration file: the exit status. */
int verify_index(const char *config_file);
