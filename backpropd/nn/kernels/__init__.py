"""The compiled twin of the core: whole epochs as machine code, over the same theta; the readable core is the truth."""
