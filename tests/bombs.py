"""Image files of a few kB or MB that would keep a decoder busy for minutes."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

SIDE = 64  # pixels


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = Image.linear_gradient("L").resize((SIDE, SIDE))
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_of_scans(scans: int) -> bytes:
    """A progressive JPEG; its last scan, which refines a bit of each pixel, comes again and again."""
    content = encoded("jpeg", progressive=True)
    last = content.rindex(b"\xff\xda")
    more = scans - content.count(b"\xff\xda")
    return content[:-2] + content[last:-2] * more + content[-2:]


def jpeg_of_segments(segments: int, segment: bytes = b"\xff\xfe\x00\x02") -> bytes:
    """A JPEG with so many segments, empty comments, in front of all others."""
    content = encoded("jpeg")
    return content[:2] + segment * segments + content[2:]


def jpeg_after(stray: bytes) -> bytes:
    """A JPEG with bytes of no segment behind the first one, an empty comment."""
    content = jpeg_of_segments(1)
    return content[:6] + stray + content[6:]


def tags_of_values(tag: int, values: int) -> bytes:
    """TIFF's tags: one of them, of that many 32-bit values."""
    entry = struct.pack("<HHLL", tag, 4, values, 26)
    return b"II*\0" + struct.pack("<LH", 8, 1) + entry + struct.pack("<L", 0) + bytes(4 * values)


def jpeg_of_exif(values: int) -> bytes:
    """A JPEG whose EXIF, in several segments, has a resolution of that many values."""
    tags = tags_of_values(0x011A, values)
    parts = [b"Exif\0\0" + tags[start : start + 60_000] for start in range(0, len(tags), 60_000)]
    segments = b"".join(b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part for part in parts)
    content = encoded("jpeg")
    return content[:2] + segments + content[2:]


def png_of_chunks(chunks: int, name: bytes = b"teSt", data: bytes = b"") -> bytes:
    """A PNG with so many more chunks behind its header."""
    content = encoded("png")
    chunk = len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
    return content[:33] + chunk * chunks + content[33:]


def png_of_text(characters: int) -> bytes:
    """A PNG with one compressed text."""
    return png_of_chunks(1, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(characters)))


def tiff_of_strips(strips: int) -> bytes:
    """An uncompressed TIFF of one row a strip, and of many more strips than rows."""
    tags = [(256, SIDE), (257, SIDE), (258, 8), (259, 1), (262, 1), (273, None), (277, 1), (278, 1), (279, None)]
    end = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHLL", tag, 4, strips if value is None else 1, end if value is None else value)
        for tag, value in tags
    )
    head = b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + struct.pack("<L", 0)
    return head + struct.pack("<L", SIDE) * strips + bytes(4 * strips)


def webp_of_frames(frames: int) -> bytes:
    pictures = [Image.new("L", (SIDE, SIDE), number % 256) for number in range(frames)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "webp", save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def tiff_of_frames(frames: int) -> bytes:
    picture = Image.new("L", (SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "tiff", save_all=True, append_images=[picture] * (frames - 1))
    return buffer.getvalue()
