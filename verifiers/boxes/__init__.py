"""Deciding questions about boxes: is there an input of the box whose outputs are unsafe?"""
