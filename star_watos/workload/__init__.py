"""Models as operators: FLOPs, bytes and saved activations from a Hugging Face config."""
