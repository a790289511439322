"""Vectors of the config that are about links: brokers, other gateways, and what clashes."""

from tests.vectors.units import GATEWAY, SERIAL, SHOWN_GATEWAY, SHOWN_WEB

LINK = GATEWAY + '[[link]]\nname = "consortium"\nurl = "mqtts://broker.example"\n'
LISTENER = '[[link]]\nname = "{}"\nlisten = "0.0.0.0:8471"\n'
DIALLING = '[[link]]\nname = "supplier-b"\nurl = "https://peer.example:8471"\n'
SEARCH = '[[link]]\nname = "plant"\nurl = "lan:"\n'
SHOWN_LINK = """[[link]]
name = "consortium"
url = "mqtts://broker.example"
client_id = "hulian-press-shop-link-consortium"

"""

Faults = list[tuple[str, int, str]]


def good() -> list[tuple[str, str, str]]:
    """Give what is taken, and what it comes to."""
    return [
        ("a link", LINK, SHOWN_GATEWAY + SHOWN_LINK + SHOWN_WEB),
        (
            "links between gateways, on both sides",
            GATEWAY + DIALLING + LISTENER.format("callers"),
            SHOWN_GATEWAY + DIALLING + "\n" + LISTENER.format("callers") + "\n" + SHOWN_WEB,
        ),
        (
            "the local network, announced and searched",
            GATEWAY + LISTENER.format("door") + "announce = true\n" + SEARCH,
            SHOWN_GATEWAY
            + LISTENER.format("door")
            + "announce = true\n\n"
            + SEARCH
            + "\n"
            + SHOWN_WEB,
        ),
    ]


def bad() -> list[tuple[str, str, Faults]]:
    """Give what is refused, with its faults."""
    second = LINK.removeprefix(GATEWAY)
    double = "config.duplicate-name"
    id_, line = 'client_id = "x"\n', "mcu-8"
    return [
        (
            "a link that dials and listens",
            LINK + 'listen = "0.0.0.0:8471"\n',
            [("config.no-effect", 7, "link[0].listen")],
        ),
        (
            "a link to nowhere",
            LINK.replace("url = ", "# "),
            [("config.missing", 4, "link[0].url")],
        ),
        (
            "a gateway with a password",
            LINK.replace("mqtts", "https") + 'username = "x"\npassword_file = "y"\n',
            [
                ("config.no-effect", 7, "link[0].username"),
                ("config.no-effect", 8, "link[0].password_file"),
            ],
        ),
        (
            "a path behind a gateway",
            LINK.replace("mqtts://broker.example", "https://peer.example/hl"),
            [("config.url", 6, "link[0].url")],
        ),
        (
            "two listeners on one address",
            GATEWAY + LISTENER.format("one") + LISTENER.format("two"),
            [(double, 9, "link[1].listen")],
        ),
        *_bad_on_the_lan(),
        (
            "two links of one name",
            LINK + second,
            [(double, 8, "link[1].name"), (double, 7, "link[1].client_id")],
        ),
        (
            "two clients of one id",
            LINK + id_ + second.replace("consortium", "other") + id_,
            [(double, 11, "link[1].client_id")],
        ),
        (
            "two readers of one line",
            SERIAL + SERIAL.removeprefix(GATEWAY).replace("mcu-7", line),
            [(double, 11, "source[1].url")],
        ),
    ]


def _bad_on_the_lan() -> list[tuple[str, str, Faults]]:
    return [
        (
            "two searches",
            GATEWAY + SEARCH + SEARCH.replace("plant", "other"),
            [("config.duplicate-name", 9, "link[1].url")],
        ),
        (
            "something behind lan:",
            GATEWAY + SEARCH.replace("lan:", "lan://plant"),
            [("config.url", 6, "link[0].url")],
        ),
        (
            "what dials is not announced",
            GATEWAY + SEARCH + 'announce = true\nusername = "x"\n',
            [
                ("config.no-effect", 7, "link[0].announce"),
                ("config.no-effect", 8, "link[0].username"),
            ],
        ),
        (
            "who cannot be reached is not announced",
            GATEWAY + LISTENER.format("a").replace("0.0.0.0", "127.0.0.1") + "announce = true\n",
            [("config.no-effect", 7, "link[0].announce")],
        ),
    ]
