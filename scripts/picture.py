#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""picture.py TEXT SVG: draw a picture in characters. Lines of boxes become lines, everything else is text in its place."""
import html
import re
import sys

WIDTH, HEIGHT, MARGIN = 9, 20, 10
# The directions in which a line leaves the middle of a character.
LINES = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "┼": "lrud", "┤": "lud", "├": "rud"}
ENDS = {"l": (-WIDTH / 2, 0), "r": (WIDTH / 2, 0), "u": (0, -HEIGHT / 2), "d": (0, HEIGHT / 2)}


def middle(row, column):
    return MARGIN + (column + 0.5) * WIDTH, MARGIN + (row + 0.5) * HEIGHT


def strokes(rows):
    for row, text in enumerate(rows):
        for column, character in enumerate(text):
            x, y = middle(row, column)
            for direction in LINES.get(character, "lr" if character == "◄" else ""):
                dx, dy = ENDS[direction]
                yield f"M{x:g} {y:g}l{dx:g} {dy:g}"


def texts(rows):
    for row, text in enumerate(rows):
        for word in re.finditer(r"[^\s─│┌┐└┘┼┤├◄]+( [^\s─│┌┐└┘┼┤├◄]+)*", text):
            x, y = middle(row, word.start())
            length = len(word[0]) * WIDTH
            yield f'<text x="{x - WIDTH / 2:g}" y="{y + 5:g}" textLength="{length}">{html.escape(word[0])}</text>'


def arrows(rows):
    for row, text in enumerate(rows):
        for arrow in re.finditer("◄", text):
            x, y = middle(row, arrow.start())
            yield f'<path d="M{x - 5:g} {y:g}l9 -4v8z" fill="#555"/>'


def draw(rows):
    width, height = 2 * MARGIN + WIDTH * max(map(len, rows)), 2 * MARGIN + HEIGHT * len(rows)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="monospace" font-size="15" fill="#222">', f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<path d="{"".join(strokes(rows))}" stroke="#555" fill="none"/>', *arrows(rows), *texts(rows), "</svg>", ""])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = file.read().rstrip("\n").splitlines()
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(rows))


main()
