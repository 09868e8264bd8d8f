"""What kind of content a file has, by its name: the same on every machine.

The module mimetypes asks the system's files, and so gives different answers on different hosts.
"""

from typing import Final

UNKNOWN: Final = "application/octet-stream"

# By extension, in small letters. Text has a charset, as RFC 9110, section 8.3.2 has it; XML and
# JSON say of themselves what they are in.
_TYPES: Final[dict[str, str]] = {
    extension: media_type
    for media_type, extensions in {
        # Text
        "text/html": "html htm",
        "text/css": "css",
        "text/javascript": "js mjs cjs",  # RFC 9239
        "text/plain": "txt text log conf ini asc",
        "text/csv": "csv",
        "text/tab-separated-values": "tsv",
        "text/markdown": "md markdown",
        "text/calendar": "ics",
        "text/vcard": "vcf",
        "text/vtt": "vtt",
        # Data
        "application/json": "json map",
        "application/ld+json": "jsonld",
        "application/geo+json": "geojson",
        "application/manifest+json": "webmanifest",
        "application/xml": "xml xsl xsd",
        "application/xhtml+xml": "xhtml",
        "application/rss+xml": "rss",
        "application/atom+xml": "atom",
        "application/yaml": "yaml yml",
        "application/wasm": "wasm",
        "application/pdf": "pdf",
        "application/rtf": "rtf",
        "application/sql": "sql",
        "application/epub+zip": "epub",
        # Pictures
        "image/svg+xml": "svg",
        "image/png": "png",
        "image/apng": "apng",
        "image/jpeg": "jpg jpeg jpe jfif",
        "image/gif": "gif",
        "image/webp": "webp",
        "image/avif": "avif",
        "image/heic": "heic",
        "image/heif": "heif",
        "image/jxl": "jxl",
        "image/bmp": "bmp",
        "image/tiff": "tif tiff",
        "image/vnd.microsoft.icon": "ico",
        # Sound and film
        "audio/mpeg": "mp3",
        "audio/mp4": "m4a",
        "audio/aac": "aac",
        "audio/ogg": "oga ogg opus",
        "audio/wav": "wav",
        "audio/flac": "flac",
        "audio/webm": "weba",
        "audio/midi": "mid midi",
        "video/mp4": "mp4 m4v",
        "video/webm": "webm",
        "video/ogg": "ogv",
        "video/mpeg": "mpeg mpg",
        "video/quicktime": "mov",
        "video/x-matroska": "mkv",
        "video/x-msvideo": "avi",
        "video/mp2t": "ts m2ts",
        "application/vnd.apple.mpegurl": "m3u8",
        "application/dash+xml": "mpd",
        # Fonts
        "font/woff2": "woff2",
        "font/woff": "woff",
        "font/ttf": "ttf",
        "font/otf": "otf",
        "font/collection": "ttc",
        "application/vnd.ms-fontobject": "eot",
        # Archives and programs
        "application/zip": "zip whl jar",
        "application/gzip": "gz tgz",
        "application/x-bzip2": "bz2",
        "application/x-xz": "xz",
        "application/zstd": "zst",
        "application/x-tar": "tar",
        "application/x-7z-compressed": "7z",
        "application/vnd.rar": "rar",
        "application/vnd.android.package-archive": "apk",
        # Offices
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "application/vnd.ms-powerpoint": "ppt",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
        "application/vnd.oasis.opendocument.text": "odt",
        "application/vnd.oasis.opendocument.spreadsheet": "ods",
        "application/vnd.oasis.opendocument.presentation": "odp",
        # 3D
        "model/gltf+json": "gltf",
        "model/gltf-binary": "glb",
    }.items()
    for extension in extensions.split()
}

# Not text, and yet worth compressing. The rest is compressed as it is.
_COMPRESSIBLE: Final = frozenset(
    {
        UNKNOWN,
        "application/pdf",
        "application/rtf",
        "application/sql",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-tar",
        "application/yaml",
        "audio/wav",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "model/gltf-binary",
    }
)


def content_type_of(name: bytes) -> str:
    """The value of Content-Type for a file of that name, by its last extension."""
    stem, dot, extension = name.rpartition(b".")
    media_type = UNKNOWN
    if dot and stem:
        media_type = _TYPES.get(extension.decode("latin-1").lower(), UNKNOWN)
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def is_compressible(content_type: str) -> bool:
    """Whether it makes sense to look for a compressed file beside it."""
    media_type = content_type.partition(";")[0]
    return (
        media_type.startswith("text/")
        or media_type.endswith(("+xml", "json", "/xml"))
        or media_type in _COMPRESSIBLE
    )
