"""Where weights come from: one file per family of schemes, one way to download and to read archives."""
