"""Parts of requests that no browser sends: cookies, headers, queries, URL paths, files."""

# Values of a cookie, in Latin-1 as sent. In quotes an octal escape is a character.
COOKIES = (
    '"\\000aaaaaaaaaaaa"',
    '"' + "\\000" * 32 + '"',
    '"\\377\\376\\303"',
    "a" * 32,
    "a" * 31,
    "A" * 32,
    "é" * 16,
    "\xff\x80",
    "a" * 6000,
    '"',
    "",
    "x:y:z",
    "1:1tAbCd:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "{" * 2000,
    "%00%ff",
    "a\x00b",
    "../../../etc/passwd",
    "es\x0b",
    ";;;===;=",
    "9" * 400,
    "a" * 64,
)
HEADERS = (
    *(
        ("referer", value)
        for value in (
            "https://[",
            "https://[::1",
            "//[",
            "http://\x00/",
            "https://a:b:c@d:99999/",
            "\x80\xff",
            "x" * 9000,
        )
    ),
    *(
        ("origin", value)
        for value in ("https://[", "null", "https://admin.test:99999", "\x80\xff", "https://a b")
    ),
    *(
        ("host", value)
        for value in (
            "",
            "[",
            "[::1",
            "aurora.test:99999",
            "aurora.test:x",
            "a b",
            "\x00",
            "xn--",
            "é",
            ".",
            "a" * 300,
        )
    ),
    *(
        ("accept-language", value)
        for value in (
            "*;q=9e999",
            "es;q=\x00",
            "a-" * 3000,
            ",,,;q=;",
            "zh-hans-\xff",
            "en;q=nan",
            "x" * 8000,
        )
    ),
    *(
        ("x-forwarded-for", value)
        for value in ("", ",,,", "[::1", "fe80::1%eth0", "999.1.1.1", "\x00", "1.2.3.4:80")
    ),
    *(("x-forwarded-proto", value) for value in ("", "gopher", "https,http", "\x00")),
    ("x-forwarded-host", "evil.test"),
    *(
        ("if-modified-since", value)
        for value in ("x", "Thu, 01 Jan 0000 00:00:00 GMT", "Thu, 32 Foo 99999 99:99:99 GMT", "9" * 400)
    ),
    *(("if-none-match", value) for value in ('"', '*,"a",W/', "\x00", "W/" * 4000)),
    *(
        ("range", value)
        for value in ("bytes=-1", "bytes=9-1", "bytes=0-99999999999999999999", "x", "\x80\xff")
    ),
    *(
        ("content-length", value) for value in ("0", "9" * 30)
    ),  # gunicorn refuses values that are not numbers.
    *(
        ("content-type", value)
        for value in (
            "multipart/form-data; boundary=" + "a" * 300,
            "multipart/form-data; boundary=\x00",
            "/",
            ";;;",
        )
    ),
    ("authorization", "Bearer \x80"),
    ("authorization", "Basic %%%"),
    ("user-agent", "\x00\xe9" * 2000),
    ("cookie", ""),
    ("x-requested-with", "XMLHttpRequest"),
    ("sec-fetch-site", "\x00"),
    ("transfer-encoding", "chunked"),
    ("expect", "x"),
)
# Percent-encoded: NUL, lone surrogates, numbers beyond all columns, patterns, lists, dates.
QUERY_VALUES = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%ff%fe",
    "9" * 40,
    "-" + "9" * 40,
    "-1",
    "1e999",
    "NaN",
    "%28",
    "%5B",
    "1%2C2%2C%00",
    "%2C" * 500,
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "10000-01-01",
    "2026-01-01T99:99",
    "%D9%A1%D9%A2",
    "a%0D%0AX-Canary%3A%201",
    "%E2%80%AE%EF%BB%BF",
    "True",
    "None",
    "x" * 3000,
    "%25%25%28x%29s%7B0%7D",
    "%5C",
    "'%22%3B--",
)
PATHS = (
    "%00",
    "%00/",
    "%FF",
    "%ED%A0%80/",
    "..%2f..%2fetc/passwd",
    "%2e%2e/",
    "/",
    "//evil.test/",
    "a" * 5000,
    "%0a",
    "%0d%0aX-Canary:1",
    "é/",
    "%5C%5Cevil.test",
    "9" * 40 + "/",
    "9" * 40 + "/change/",
    "-1/",
    "1/%00/",
    "_5F_00/change/",
    "_00/change/",
    "static/%00",
    "static/../settings.py",
    "static/" + "a" * 5000,
    "static/%FF.css",
    "preview/%00/light/visitor/",
    "brand/logo%00",
    ";x=1",
    "?",
)
MANAGEMENT = ("", "-1", "1001", "9" * 40, "a", "\x00", "1.5", "\u0663", "0")
FILES = (
    ("a.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50),
    (
        "a.png",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x06\x00\x00\x00"
        + b"a" * 40,
    ),
    ("a.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\xff" * 300),
    ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 " + b"\x00" * 20),
    ("a.gif", b"GIF89a" + b"\x00" * 10),
    ("a.svg", b"<svg onload='canary()'/>"),
    ("a\u202e.csv", b"email,first_name\r\na@example.com,\x00\r\n"),
    ("b.csv", b"\xff\xfee\x00m\x00a\x00i\x00l\x00"),
    ("c.csv", b'email,account_number\n"a@example.com,1\n'),
    ("d.csv", b"email,email\na@example.com,b@example.com\n"),
    ("e.csv", b"," * 5000 + b"\n" + b"," * 9000),
    ("f.csv", b"email\n" + b"a" * 200_000 + b"@example.com\n"),
    ("g.csv", "email;first_name\n\udc80".encode("utf-8", "surrogateescape")),
    ("h.csv", b"\r" * 3000),
    ("x", b""),
)
