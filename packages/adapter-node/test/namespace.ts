import { execFileSync, spawnSync } from 'node:child_process'

/** The exit code of a process whose network could not be set up. */
export const NOT_POSSIBLE = 3

/** How to start a command in an isolated network namespace; undefined if that is not permitted. */
export function namespaceCommand(): string[] | undefined {
  // As root, or as root of a new user namespace.
  return [
    ['unshare', '--net', '--'],
    ['unshare', '--net', '--map-root-user', '--'],
  ].find(([command = '', ...args]) => spawnSync(command, [...args, 'true']).status === 0)
}

/** Inside such a namespace: makes every address of both families an address of this machine. */
export function takeEveryAddress(): void {
  run('link set lo up', link())
  run('route add local 0.0.0.0/0 dev lo', route(AF_INET))
  run('-6 route add local ::/0 dev lo', route(AF_INET6))
}

/** Adds an address to the loopback interface. */
export function addOwnAddress(address: string): void {
  run(`address add ${address}/32 dev lo`, ownAddress(address))
}

const AF_INET = 2
const AF_INET6 = 10
const [NEW_LINK, NEW_ADDRESS, NEW_ROUTE] = [16, 20, 24]
const LOOPBACK = 1

/** With iproute2, or without it by sending the same netlink message: every Debian has perl. */
function run(ip: string, message: Buffer): void {
  if (spawnSync('ip', ip.split(' ')).status === 0) return
  const script = `
    socket(my $s, 16, 3, 0) or die $!; send($s, pack('H*', $ARGV[0]), 0, pack('S S L L', 16, 0, 0, 0)) or die $!;
    recv($s, my $answer, 4096, 0); my $error = unpack('x16 l', $answer); exit($error == 0 ? 0 : 1)`
  execFileSync('perl', ['-e', script, message.toString('hex')])
}

function netlink(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + body.length, 0)
  header.writeUInt16LE(type, 4)
  // request, acknowledge, create
  header.writeUInt16LE(0x405, 6)
  return Buffer.concat([header, body])
}

function link(): Buffer {
  const body = Buffer.alloc(16)
  body.writeInt32LE(LOOPBACK, 4)
  // The flag `up`, and the mask that changes only it.
  body.writeUInt32LE(1, 8)
  body.writeUInt32LE(1, 12)
  return netlink(NEW_LINK, body)
}

function route(family: number): Buffer {
  // Everything, in the local table, static, on this host, of the type local; by the loopback.
  const body = Buffer.from([family, 0, 0, 0, 255, 4, 254, 2, 0, 0, 0, 0])
  return netlink(NEW_ROUTE, Buffer.concat([body, Buffer.from([8, 0, 4, 0, LOOPBACK, 0, 0, 0])]))
}

function ownAddress(address: string): Buffer {
  const body = Buffer.from([AF_INET, 32, 0, 0, LOOPBACK, 0, 0, 0])
  return netlink(NEW_ADDRESS, Buffer.concat([body, Buffer.from([8, 0, 2, 0, ...address.split('.').map(Number)])]))
}
