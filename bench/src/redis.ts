import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { processFile } from './build.ts'

/** Redis' two kinds of durability: an fsync for each write, or one a second. */
export type Appendfsync = 'always' | 'everysec'

export interface RedisServer {
  url: string
  stop(): void
}

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** A `redis-server` of the system on a free port, in a folder of its own; it ends with this process. */
export async function startRedis(appendfsync: Appendfsync): Promise<RedisServer> {
  const child = spawn(process.execPath, [processFile('redis'), appendfsync], { stdio: ['pipe', 'pipe', 'inherit'] })
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`redis-server did not start: ${code}`)))
  })
  return { url: `redis://127.0.0.1:${port}`, stop: () => void child.stdin.end() }
}
