"""How models run: media, decoding, batching, backends, jobs, HTTP and the command line. Knows no label."""
