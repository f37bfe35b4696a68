"""Reference results of PyTorch as JSON files, with the scripts that compute them."""
