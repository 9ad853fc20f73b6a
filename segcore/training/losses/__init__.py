"""Losses, by pixel and by region, and their class weights."""
