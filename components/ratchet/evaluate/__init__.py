"""Graded attempts in, capability profile out."""
