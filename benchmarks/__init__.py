"""One file a question; each prints JSON, of data beside the checkout or named on the command line."""
