import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { killRequest } from './commit-kill.ts'
import { openFile, temporaryFile } from './database.ts'
import { rig } from './rig.ts'

const PROGRAM = join(import.meta.dirname, 'commit-kill-process.ts')
// Before these the request only reads the stored answer and two limits, and inserts its in-flight mark.
const FIRST_OF_UNIT = 6
const MOST_DEATHS = 20

interface Death {
  where: string
  killed: boolean
  /** The number of messages, rows and records that another process found afterwards. */
  left: number[]
  /** The answer of the repeated request, and the counts after it. */
  repeated: { status: number; body: string; replayed: boolean }
  after: number[]
}

/** Kills a process in the middle of the commit, counts what it left, and repeats the request as its client would. */
async function dieAt(where: string): Promise<Death> {
  const { database, connection } = openFile(temporaryFile())
  const { engine, count, addEndpoint } = await rig({ on: database })
  const found = () => Promise.all(['messages', 'pending_events', 'keepsend_idempotency_records'].map(count))
  await addEndpoint()
  await addEndpoint()
  const child = spawn(process.execPath, [PROGRAM, connection.name, where], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output: string[] = []
  child.stdout.on('data', (some: Buffer) => output.push(String(some)))
  const signal = await new Promise((done) => {
    child.on('close', (_, name) => done(name))
  })
  const left = await found()
  expect(signal === 'SIGKILL' || output.join('').startsWith('survived'), `${where}: killed, or done`).toBe(true)
  // The in-flight mark of a dead request expires within seconds: this waits for that.
  connection.exec('update keepsend_idempotency_marks set expires_at = 0')
  const { status, body, replayed } = await engine.commit(killRequest())
  return { where, killed: signal === 'SIGKILL', left, repeated: { status, body, replayed }, after: await found() }
}

const NONE = [0, 0, 0]
const ALL = [1, 2, 1]

/** Expects all or nothing, and a repeat that completes or is answered from the record. */
function expectWhole(death: Death): void {
  expect(death.left, death.where).toBeOneOf([NONE, ALL])
  const replayed = death.left[0] !== 0
  expect(death.repeated, death.where).toEqual({ status: 201, body: '{"id":"m1"}', replayed })
  expect(death.after, death.where).toEqual(ALL)
}

describe('a process killed in the middle of a commit', () => {
  it('between any two statements leaves the change, its rows and the idempotency record, or none of them (traps 1 and 2)', async () => {
    const deaths: Death[] = []
    while (deaths.length < MOST_DEATHS && deaths.at(-1)?.killed !== false) {
      // Two concurrently: most of the time is the start of a process.
      const next = [0, 1].map((ahead) => dieAt(`statement:${FIRST_OF_UNIT + deaths.length + ahead}`))
      deaths.push(...(await Promise.all(next)))
    }
    deaths.forEach(expectWhole)
    const before = deaths.filter(({ killed, left }) => killed && left[0] === 0).length
    const after = deaths.filter(({ killed, left }) => killed && left[0] !== 0).length
    // Before begin, the record, the write, the two of the publish, the removal of the mark and the commit; and after it.
    expect([before, after]).toEqual([7, 1])
  }, 60_000)

  it('inside the statement that inserts the rows, after the first of two, leaves nothing', async () => {
    const death = await dieAt('row:pending_events')
    expect([death.killed, death.left]).toEqual([true, NONE])
    expectWhole(death)
  }, 20_000)
})
