"""CLIP as maxi uses it: what MODEL means (`models`), its text side (`tokens` to `text_features`), its visual side."""
