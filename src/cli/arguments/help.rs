//! What `--help` adds to the options: the exit codes of each command.

/// Of the program as a whole.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line or the configuration is wrong; nothing was done
  3  imported, but some resources were refused
  4  verified, and something was altered or is missing";

/// Of `chartlog serve`.
pub const SERVE_HELP: &str = "\
Every setting has a key such as server.listen. It is given, in falling order of precedence, by an
option, by an environment variable such as CHARTLOG_SERVER_LISTEN, or in the configuration file.
`chartlog config` shows all settings and where their values come from.

Exit codes:
  0  stopped as it was asked to, by SIGTERM or SIGINT
  1  failed: the address is taken, the store is in use, damaged or of a newer program
  2  the command line or the configuration is wrong; nothing was done";

/// Of `chartlog config`.
pub const CONFIG_HELP: &str = "\
Every setting has a key such as server.listen. It is given, in falling order of precedence, by an
option, by an environment variable such as CHARTLOG_SERVER_LISTEN, or in the configuration file.

Exit codes:
  0  done: the configuration is right
  1  stdout cannot be written
  2  the command line or the configuration is wrong: stderr says what, and where";

/// Of `chartlog import`.
pub const IMPORT_HELP: &str = "\
Exit codes:
  0  all is stored, or was there already
  1  failed; the same command goes on where it was, and stores nothing twice
  2  the command line or the configuration is wrong; nothing was done
  3  imported, but some resources were refused: the report says which and why";

/// Of `chartlog verify`.
pub const VERIFY_HELP: &str = "\
Exit codes:
  0  all holds
  1  failed: it could not be verified
  2  the command line or the configuration is wrong; nothing was done
  4  something was altered or is missing: stdout says what, and where";

/// Of commands that do a thing, or do not.
pub const DONE_OR_NOT: &str = "\
Exit codes:
  0  done
  1  failed: stderr says what is wrong, and where
  2  the command line or the configuration is wrong; nothing was done";
