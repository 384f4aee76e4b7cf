"""Asking a language model behind an OpenAI-compatible endpoint: retries, rate limit, cache, budget; for any source."""
