import type { Random } from '../random.ts'
import type { FileName, Step } from './recording.ts'

/** The content of both files. */
export type Images = Record<FileName, Buffer>

type Change = Extract<Step, { kind: 'write' | 'truncate' }>

/** How much of the writes that were not synced survives the power cut. */
export const CUTS = ['nothing', 'everything', 'a prefix, its last write torn', 'any writes', 'any sectors'] as const
export type Cut = (typeof CUTS)[number]

const SECTOR = 512
const FILES: readonly FileName[] = ['app.db', 'app.db-wal']

/**
 * A disk on which synced writes survive, and any of the later writes, in any order, whole or by sectors. Files are
 * known by name: SQLite has synced their folder before the recording begins.
 */
export class Disk {
  readonly #durable = new Map<FileName, Buffer>(FILES.map((file) => [file, Buffer.alloc(0)]))
  readonly #pending = new Map<FileName, Change[]>(FILES.map((file) => [file, []]))

  apply(step: Step): void {
    if (step.kind === 'mark') return
    const pending = this.#pending.get(step.file) ?? []
    if (step.kind !== 'sync') {
      pending.push(step)
      return
    }
    this.#durable.set(step.file, written(this.#durable.get(step.file), pending))
    this.#pending.set(step.file, [])
  }

  /** As if everything had been synced. */
  everything(): Images {
    return this.#images((changes) => changes)
  }

  /** The files after a power cut now. */
  cut(how: Cut, random: Random): Images {
    return this.#images((changes) => surviving(changes, how, random))
  }

  #images(choose: (changes: readonly Change[]) => readonly Change[]): Images {
    const image = (file: FileName): Buffer => written(this.#durable.get(file), choose(this.#pending.get(file) ?? []))
    return { 'app.db': image('app.db'), 'app.db-wal': image('app.db-wal') }
  }
}

function surviving(changes: readonly Change[], how: Cut, random: Random): readonly Change[] {
  switch (how) {
    case 'nothing':
      return []
    case 'everything':
      return changes
    case 'a prefix, its last write torn': {
      const prefix = changes.slice(0, random.whole(0, changes.length))
      const last = prefix.pop()
      return last ? [...prefix, ...sectors(last, random)] : prefix
    }
    case 'any writes':
      return changes.filter(() => random.next() < 0.5)
    case 'any sectors':
      return changes.flatMap((change) => sectors(change, random))
  }
}

/** A random subset of the sectors that a write touches. */
function sectors(change: Change, random: Random): Change[] {
  if (change.kind === 'truncate') return random.next() < 0.5 ? [change] : []
  const parts: Change[] = []
  for (let from = 0; from < change.data.length;) {
    const at = change.at + from
    const size = Math.min(SECTOR - (at % SECTOR), change.data.length - from)
    if (random.next() < 0.5) parts.push({ ...change, at, data: change.data.subarray(from, from + size) })
    from += size
  }
  return parts
}

/** A copy of the file with the changes applied in their order. */
function written(file: Buffer = Buffer.alloc(0), changes: readonly Change[]): Buffer {
  let size = file.length
  const most = changes.reduce((all, change) => Math.max(all, endOf(change)), size)
  const image = Buffer.alloc(most)
  file.copy(image)
  for (const change of changes) {
    if (change.kind === 'write') {
      change.data.copy(image, change.at)
      size = Math.max(size, endOf(change))
    } else {
      if (change.size < size) image.fill(0, change.size, size)
      size = change.size
    }
  }
  return image.subarray(0, size)
}

function endOf(change: Change): number {
  return change.kind === 'write' ? change.at + change.data.length : change.size
}
