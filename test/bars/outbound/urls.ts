/** Addresses that a tenant could name to reach what is not public: in every notation, by name, by scheme, by port, and by detours. */

/** Places behind the guard: this machine, private and shared networks, metadata services, and addresses without a host. */
const places = [
  "127.0.0.1",
  "127.255.255.254",
  "0.0.0.0",
  "10.0.0.1",
  "10.255.255.255",
  "172.16.0.1",
  "172.31.255.254",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "100.127.255.254",
  "192.0.0.1",
  "192.0.2.1",
  "198.18.0.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
];

/** The ways to write an IPv4 address that URL parsers fold (WHATWG URL section 3.5). */
function notations(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const number = ((a * 256 + b) * 256 + c) * 256 + d;
  const hex = (value: number) => `0x${value.toString(16)}`;
  const octal = (value: number) => `0${value.toString(8)}`;
  return [
    address,
    String(number),
    hex(number),
    octal(number),
    [a, b, c, d].map(hex).join("."),
    [a, b, c, d].map(octal).join("."),
    `${a}.${b}.${c * 256 + d}`,
    `${hex(a)}.${octal(b)}.${c}.${d}`,
    `${address}.`,
    address.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  ];
}

const v6 = [
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:10.0.0.1",
  "::ffff:169.254.169.254",
  "::127.0.0.1",
  "64:ff9b::127.0.0.1",
  "64:ff9b::a00:1",
  "64:ff9b:1::1",
  "2002:7f00:1::",
  "2002:a00:1::1",
  "2001::1",
  "2001:db8::1",
  "3fff::1",
  "100::1",
  "fc00::1",
  "fd00::1",
  "fd00:ec2::254",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "ff02::1",
];

const localNames = [
  "localhost",
  "LOCALHOST",
  "localhost.",
  "app.localhost",
  "a.b.localhost.",
  "localhost.localdomain",
  "ip6-localhost",
  "router",
  "printer.local",
  "db.internal",
  "metadata.google.internal",
  "metadata",
  "intranet.corp",
  "files.lan",
  "nas.home",
  "gateway.home.arpa",
  "1.0.0.127.in-addr.arpa",
  "hidden.onion",
  "service.test",
  "host.invalid",
  "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
];

const schemes = [
  "http://hooks.public.dev/",
  "http://127.0.0.1/",
  "ftp://hooks.public.dev/",
  "file:///etc/passwd",
  "gopher://127.0.0.1:70/",
  "ws://127.0.0.1/",
  "wss://hooks.public.dev/",
  "data:text/plain,hello",
  "javascript:alert(1)",
  "blob:https://hooks.public.dev/x",
  "unix:/var/run/docker.sock",
  "//hooks.public.dev/",
  "hooks.public.dev",
];

const ports = [22, 25, 80, 444, 3306, 6379, 8080, 8443, 8787, 9200].map((port) => `https://hooks.public.dev:${port}/`);

const credentials = [
  "https://user@hooks.public.dev/",
  "https://user:word@hooks.public.dev/",
  "https://hooks.public.dev@127.0.0.1/",
  "https://hooks.public.dev:443@127.0.0.1/",
  "https://127.0.0.1\\@hooks.public.dev:9000/",
  "https://:@127.0.0.1/",
  "https://hooks.public.dev%40127.0.0.1/",
];

/** Refused before anything is asked of the network. */
export const refusedUrls: string[] = [
  ...places.flatMap(notations).map((host) => `https://${host}/hook`),
  ...v6.map((host) => `https://[${host}]/hook`),
  ...localNames.map((host) => `https://${host}/hook`),
  ...schemes,
  ...ports,
  ...credentials,
];

const publicAddresses = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"];

/** Every name that the stand-in of the name system knows. Whatever is not one of the public addresses is the trap. */
export const zone = new Map<string, string[]>([["hooks.public.dev", publicAddresses]]);

function named(kind: string, addresses: string[][]): string[] {
  return addresses.map((all, index) => {
    const name = `${kind}-${index}.tenant.dev`;
    zone.set(name, all);
    return `https://${name}/hook`;
  });
}

/** Names that look like any other, and stand for what is not public. */
export const resolvedUrls: string[] = [
  ...named(
    "four",
    places.map((address) => [address]),
  ),
  ...named(
    "six",
    v6.filter((address) => !address.includes(".") || address.startsWith("::")).map((address) => [address]),
  ),
  // One bad address among good ones is enough: nobody can say which of them the platform takes.
  ...named("mixed", [
    ["127.0.0.1", ...publicAddresses],
    ["10.0.0.1", ...publicAddresses],
    [...publicAddresses, "169.254.169.254"],
    [...publicAddresses, "::1"],
    ["::ffff:127.0.0.1", ...publicAddresses],
  ]),
  ...named("none", [[]]),
  "https://unknown.tenant.dev/hook",
];

/** Public hosts that answer with a redirect to the trap. */
export const redirects: string[] = [301, 302, 303, 307, 308].map(
  (status) => `https://hooks.public.dev/redirect/${status}`,
);

/** What the guard must let through: a guard that refuses everything would pass, too. */
export const goodUrls: string[] = ["", "?a=b", "deep/path", "%F0%9F%8C%8D"].map(
  (path) => `https://hooks.public.dev/ok/${path}`,
);

export function isTrap(address: string): boolean {
  return !publicAddresses.includes(address);
}
