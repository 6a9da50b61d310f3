import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Disk } from './disk.ts'
import type { Mark } from './marks.ts'

export type FileName = 'app.db' | 'app.db-wal'

/** The process' writes to its files, in order, with the promises in between. */
export type Step =
  | { kind: 'write'; file: FileName; at: number; data: Buffer }
  | { kind: 'truncate'; file: FileName; size: number }
  | { kind: 'sync'; file: FileName }
  | { kind: 'mark'; mark: Mark }

export interface RecordingOptions {
  bundle: string
  folder: string
  synchronous: 'FULL' | 'NORMAL'
  /** Pages in the WAL at which SQLite makes a checkpoint. */
  checkpoint: number
  turns: number
  seed: number
}

/** Why recordings cannot be made here, or undefined. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux')
    return `proof:power records system calls with strace, which needs Linux; this is ${process.platform}`
  const { error, status, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) return 'proof:power needs strace, which was not found: apt-get install strace'
  return status === 0 ? undefined : `strace is not permitted here: ${stderr.trim()}`
}

// Every call by which SQLite changes a file. `compareWithFiles` detects a missing one at the end.
const CALLS = 'pwrite64,write,ftruncate,fsync,fdatasync'
const LONGEST = 70_000

/**
 * Runs the writer under strace and reads its calls. The -shm file is skipped: it is not durable, and SQLite rebuilds it
 * from the WAL. Only the main thread is traced, in which better-sqlite3 does everything.
 */
export async function record({ folder, bundle, ...options }: RecordingOptions): Promise<Step[]> {
  const [file, marks, trace] = ['app.db', 'marks', 'trace'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const { synchronous, checkpoint, turns, seed } = options
  const writer = [process.execPath, bundle, file, marks, synchronous, checkpoint, turns, seed].map(String)
  const strace = ['-y', '-xx', '-s', String(LONGEST), '-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', trace]
  const child = execFile('strace', [...strace, ...writer], { timeout: 120_000 })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  const steps: Step[] = []
  for await (const line of createInterface({ input: createReadStream(trace) })) {
    const step = readStep(line, folder)
    if (step) steps.push(step)
  }
  rmSync(trace)
  const last = steps.at(-1)
  if (last?.kind !== 'mark' || !('done' in last.mark)) throw new Error(`the writer did not finish: ${said}`)
  compareWithFiles(steps, folder)
  return steps
}

const CALL = /^(\w+)\(\d+<([^>]*)>(?:, (.*))?\) += (-?\d+)/

function readStep(line: string, folder: string): Step | undefined {
  const [, call = '', path = '', rest = '', result = ''] = CALL.exec(line) ?? []
  const name = unescape(path).toString()
  if (!name.startsWith(`${folder}/`)) return undefined
  const file = name.slice(folder.length + 1)
  if (file !== 'marks' && file !== 'app.db' && file !== 'app.db-wal') return undefined
  if (Number(result) < 0) throw new Error(`${call} of ${file} failed`)
  const [, text = '', numbers = ''] = /^"([^"]*)", (.*)$/.exec(rest) ?? []
  if (file === 'marks') return { kind: 'mark', mark: JSON.parse(unescape(text).toString()) as Mark }
  switch (call) {
    case 'pwrite64': {
      const [size = 0, at = 0] = numbers.split(', ').map(Number)
      const data = unescape(text)
      if (data.length !== size || Number(result) !== size)
        throw new Error(`a write to ${file} is incomplete in the recording`)
      return { kind: 'write', file, at, data }
    }
    case 'ftruncate':
      return { kind: 'truncate', file, size: Number(rest) }
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', file }
    default:
      throw new Error(`${call} of ${file} cannot be replayed`)
  }
}

/** `\x61\x62` as bytes. */
function unescape(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}

/** The replay of all calls must produce exactly the bytes that the writer left, or a call was missed. */
function compareWithFiles(steps: readonly Step[], folder: string): void {
  const disk = new Disk()
  for (const step of steps) disk.apply(step)
  for (const [file, image] of Object.entries(disk.everything())) {
    const path = join(folder, file)
    const found = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
    if (!found.equals(image)) throw new Error(`the recording of ${file} does not produce the bytes on the disk`)
  }
}
