import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import Database from 'better-sqlite3'
import type { Random } from '../random.ts'
import { CUTS, Disk, type Images } from './disk.ts'
import { type Promises, noPromises, recordPromise } from './marks.ts'
import type { Step } from './recording.ts'

/** The results of the power cuts. All but the first two count states with a defect, or its size. */
export interface Findings {
  states: number
  /** Deliveries that were acknowledged and whose settle had not begun, over all states. */
  acknowledged: number
  /** States that lost acknowledged deliveries or changes, how many at worst and in all. */
  losing: number
  worst: number
  lost: number
  /** Settled deliveries that are pending again, and would be sent twice. */
  undone: number
  /** Claims whose `gen` the database has forgotten: the fence would fail. */
  forgotten: number
  /** Changes without their deliveries, or deliveries without their change. */
  torn: number
  /** Attempts whose settle stands, over all states. */
  recorded: number
  /** Settles without their attempt, and attempts without their settle. */
  misrecorded: number
  /** Databases that fail `integrity_check`, or that do not open. */
  corrupt: number
  /** Databases in which the app finds migrations to apply again; checked in one state of fifty. */
  unmigrated: number
}

export function nothingFound(): Findings {
  return {
    states: 0,
    acknowledged: 0,
    losing: 0,
    worst: 0,
    lost: 0,
    undone: 0,
    forgotten: 0,
    torn: 0,
    recorded: 0,
    misrecorded: 0,
    corrupt: 0,
    unmigrated: 0,
  }
}

// In one state of fifty the app itself opens the database and migrates, which must find nothing to do.
const APP_EVERY = 50

/** Cuts the power at random steps of a recording, `states` times, and checks the remaining files each time. */
export async function explore(
  steps: readonly Step[],
  { states, random, folder, findings }: { states: number; random: Random; folder: string; findings: Findings },
): Promise<void> {
  const ready = steps.findIndex((step) => step.kind === 'mark' && 'ready' in step.mark)
  const points = Array.from({ length: states }, () => random.whole(ready + 1, steps.length)).toSorted((a, b) => a - b)
  const disk = new Disk()
  const promises = noPromises()
  let done = 0
  for (const [index, point] of points.entries()) {
    for (const step of steps.slice(done, point)) {
      disk.apply(step)
      if (step.kind === 'mark') recordPromise(promises, step.mark)
    }
    done = point
    const file = restore(disk.cut(random.pick(CUTS), random), folder)
    check(file, promises, findings)
    if (index % APP_EVERY === 0) await startApp(file, findings)
  }
}

function restore(images: Images, folder: string): string {
  const file = join(folder, 'app.db')
  rmSync(`${file}-shm`, { force: true })
  writeFileSync(file, images['app.db'])
  writeFileSync(`${file}-wal`, images['app.db-wal'])
  return file
}

function check(file: string, promises: Promises, findings: Findings): void {
  findings.states++
  const left = read(file)
  if (!left) {
    findings.corrupt++
    return
  }
  const { gens, changes, attempts } = left
  const { endpoints } = promises
  let lost = 0
  for (const event of promises.acknowledged) {
    if (!changes.has(event)) lost++
    for (const endpoint of endpoints) {
      const id = `${event}.${endpoint}`
      if (promises.settling.has(id)) continue
      findings.acknowledged++
      if (!gens.has(id)) lost++
    }
  }
  findings.lost += lost
  findings.worst = Math.max(findings.worst, lost)
  if (lost > 0) findings.losing++
  for (const id of promises.settled) if (gens.has(id)) findings.undone++
  for (const [id, gen] of promises.claimed) if ((gens.get(id) ?? gen) < gen) findings.forgotten++
  for (const event of changes) {
    const missing = endpoints.filter((endpoint) => {
      const id = `${event}.${endpoint}`
      return !gens.has(id) && !promises.settling.has(id)
    })
    findings.torn += missing.length
  }
  // A settle deletes its row. A row that no settle has begun for is missing for another reason, which is counted above.
  for (const id of promises.settling) {
    if (!changes.has(id.slice(0, id.indexOf('.')))) continue
    if (gens.has(id) === attempts.has(id)) findings.misrecorded++
    else if (attempts.has(id)) findings.recorded++
  }
  for (const id of attempts) if (!promises.settling.has(id)) findings.misrecorded++
  for (const id of gens.keys()) if (!changes.has(id.slice(0, id.indexOf('.')))) findings.torn++
}

interface Left {
  /** The `gen` of each row. */
  gens: Map<string, number>
  changes: Set<string>
  /** The deliveries with an attempt that delivered them. */
  attempts: Set<string>
}

/** The content of a database, or undefined if it is broken. */
function read(file: string): Left | undefined {
  let db: Database.Database | undefined
  try {
    db = new Database(file)
    if (db.pragma('integrity_check', { simple: true }) !== 'ok') return undefined
    const tables = new Set(db.prepare('select name from sqlite_master').pluck().all())
    // Without a sync the tables themselves may be gone: lost like anything else, but no corruption.
    const rows = tables.has('pending_events') ? db.prepare('select id, gen from pending_events').raw().all() : []
    const events = tables.has('changes') ? db.prepare('select event_id from changes').pluck().all() : []
    const attempts = tables.has('keepsend_attempts')
      ? db.prepare(`select delivery_id from keepsend_attempts where outcome = 'delivered'`).pluck().all()
      : []
    return {
      gens: new Map(rows as [string, number][]),
      changes: new Set(events as string[]),
      attempts: new Set(attempts as string[]),
    }
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined
    throw error
  } finally {
    db?.close()
  }
}

async function startApp(file: string, findings: Findings): Promise<void> {
  const db = openSqlite(file)
  try {
    if ((await migrate(db)).length > 0) findings.unmigrated++
  } finally {
    db.close()
  }
}
