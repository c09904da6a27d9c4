"""Texts: the symbols they are made of."""
