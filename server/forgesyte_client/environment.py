"""What the environment says about the way to a server: proxies and certificates.

The variables are those of curl and requests: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in
small letters too, SSL_CERT_FILE and SSL_CERT_DIR.
"""

import os
import ssl
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.request import getproxies

import httpx2

from forgesyte_client.errors import ServerUnavailable

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def resolved(options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Options of httpx2 that leave nothing to the environment, and a word on the proxy, if any.

    Raises:
        ServerUnavailable: what the environment or an option names cannot be used.
    """
    url = httpx2.URL(options["base_url"])
    settings = {key: value for key, value in options.items() if key not in ("verify", "cert")}
    settings |= {"trust_env": False, "verify": tls_context(url, options)}
    if options.get("proxy") is not None:
        name, proxy = "`proxy`", options["proxy"]
    elif options.get("trust_env", True) and (found := proxy_for(url)) is not None:
        name, proxy = found
    else:
        return settings, ""
    proxy = usable_proxy(name, proxy, settings["verify"])
    return settings | {"proxy": proxy}, f" through {name}, the proxy {proxy.url}"


def proxy_for(url: httpx2.URL) -> tuple[str, str] | None:
    """The variable that names a proxy for `url`, and what it says. Loopback needs none."""
    proxies = getproxies()
    if is_loopback(url.host) or is_excepted(url, proxies.get("no", "")):
        return None
    for kind in (url.scheme, "all"):
        if address := proxies.get(kind):
            names = (f"{kind}_proxy", f"{kind}_proxy".upper())
            return next((n for n in names if os.environ.get(n)), "the system's settings"), address
    return None


def is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_excepted(url: httpx2.URL, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: by its name or a domain of it, an address or a network."""
    host = url.host.lower()
    spellings = (host, f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}")
    for entry in (entry.strip() for entry in no_proxy.lower().split(",")):
        domain = entry.removeprefix("*").removeprefix(".")
        if entry == "*" or is_in_network(host, entry.strip("[]")):
            return True
        if domain and any(s == domain or s.endswith(f".{domain}") for s in spellings):
            return True
    return False


def is_in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def usable_proxy(
    name: str, proxy: str | httpx2.URL | httpx2.Proxy, context: ssl.SSLContext
) -> httpx2.Proxy:
    """The proxy, any password out of sight of whoever prints its address."""
    try:
        if not isinstance(proxy, httpx2.Proxy):
            url = httpx2.URL(proxy if "://" in str(proxy) else f"http://{proxy}")
            proxy = httpx2.Proxy(url, ssl_context=context if url.scheme == "https" else None)
        httpx2.HTTPTransport(proxy=proxy, verify=context).close()
    except ImportError:
        raise ServerUnavailable(
            f"{name} names a SOCKS proxy, which needs one more package: pip install socksio"
        ) from None
    except (ValueError, httpx2.InvalidURL):
        raise ServerUnavailable(
            f"{name} does not name a proxy that can be used: its address has to begin with "
            "http://, https://, socks5:// or socks5h://."
        ) from None
    return proxy


def tls_context(url: httpx2.URL, options: Mapping[str, Any]) -> ssl.SSLContext:
    """Made once, for all connections. Certificates that cannot be read do not matter to http."""
    verify, trusted = options.get("verify", True), options.get("trust_env", True)
    try:
        return httpx2.create_ssl_context(verify, options.get("cert"), trusted)
    except OSError as error:
        if url.scheme != "https":
            return ssl.create_default_context()
        named = [name for name in CERTIFICATES if verify is True and os.environ.get(name)]
        where = f" of {named[0]}, {os.environ[named[0]]}," if named else ""
        raise ServerUnavailable(
            f"The certificates{where} cannot be read: {error.strerror or error}."
        ) from error
