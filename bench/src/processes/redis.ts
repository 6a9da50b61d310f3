// Runs a redis-server for redis.ts, prints its port once it answers, and ends it when the parent ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const folder = mkdtempSync(join(tmpdir(), 'keepsend-bench-redis-'))
const listener = createServer().listen(0, '127.0.0.1')
await once(listener, 'listening')
const { port } = listener.address() as AddressInfo
listener.close()
await once(listener, 'close')

const settings = {
  port: String(port),
  bind: '127.0.0.1',
  dir: folder,
  appendonly: 'yes',
  appendfsync: process.argv[2] ?? 'everysec',
  // No snapshots beside the log, and no eviction, as BullMQ requires.
  save: '',
  'maxmemory-policy': 'noeviction',
}
const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
createInterface(server.stdout).on('line', (line) => {
  if (line.includes('Ready to accept connections')) console.log(port)
})
server.once('exit', () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit()
})
process.stdin.resume().once('end', () => server.kill('SIGKILL'))
