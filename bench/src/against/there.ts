// The worker of the other commit, and what it can be asked.
//
// Packages change from one commit to the next, so a worker is built from bench sources that were written for the packages
// it runs on: those of the other commit. An older commit's worker may not understand all that this tree asks: it speaks an
// earlier protocol. Then the checkout gets the bench sources of the first commit that speaks this one. They are older than
// this tree's, so nearer to the packages over there. Where these do not work either, the next lower protocol is tried,
// down to the commit's own. Each try builds the worker and runs every line once; whatever is wrong shows before anything
// is measured.
import { execFileSync } from 'node:child_process'
import { buildWorker } from '../build.ts'
import { PROTOCOL } from '../protocol.ts'
import { checkOut } from './checkout.ts'
import { fileAt, git, titleOf } from './git.ts'
import type { Line } from './lines.ts'

/** What can be measured of the other commit. */
export interface There {
  workerFile: string
  lines: Line[]
  /** Names of lines that its worker does not know. */
  leftOut: string[]
  /** Whose bench sources the worker is built from where they are not the commit's own, and which others did not work. */
  notes: string[]
}

/** Throws unless a comparison with the commit is possible as far as its files tell. Its protocol. */
export function protocolOf(commit: string): number {
  if (fileAt(commit, 'bench/src/processes/worker.ts') === undefined) {
    throw new Error(`${titleOf(commit)}: it has no bench worker (bench/src/processes/worker.ts) to compare with`)
  }
  const number = Number(/PROTOCOL = (\d+)/.exec(fileAt(commit, 'bench/src/protocol.ts') ?? '')?.[1] ?? 1)
  if (number > PROTOCOL) {
    throw new Error(
      `${titleOf(commit)}: its bench speaks protocol ${number}, the one of this tree ${PROTOCOL}; run the comparison from that commit`,
    )
  }
  return number
}

/** Checks the commit out and finds a worker for it. `rehearse` runs a line once with that worker, at a small size. */
export async function prepareThere(
  commit: string,
  lines: readonly Line[],
  rehearse: (line: Line, workerFile: string) => Promise<void>,
): Promise<There> {
  const own = protocolOf(commit)
  const folder = await checkOut(commit)
  const failures: string[] = []
  for (let protocol = PROTOCOL; protocol >= own; protocol--) {
    const source = protocol === own ? commit : firstToSpeak(protocol)
    if (source === undefined) continue
    const whose = source === commit ? 'its own bench' : `the bench of ${titleOf(source)}`
    const able = lines.filter(({ since }) => since <= protocol)
    try {
      // What the other sources do not have goes.
      execFileSync('git', ['restore', `--source=${source}`, '--', 'bench/src'], { cwd: folder, stdio: 'pipe' })
      const workerFile = await buildWorker(folder)
      for (const line of able) await rehearse(line, workerFile)
      const leftOut = lines.filter((line) => !able.includes(line)).map(({ name }) => name)
      const borrowed =
        source === commit ? [] : [`its worker is built from ${whose}, since its own speaks protocol ${own}`]
      return { workerFile, lines: able, leftOut, notes: [...borrowed, ...failures] }
    } catch (error) {
      failures.push(`${whose} does not work there: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new Error(`${titleOf(commit)}: nothing was measured\n${failures.join('\n')}`)
}

/** The commit that gave the protocol its number; undefined where no commit has done so yet. */
function firstToSpeak(protocol: number): string | undefined {
  const found = git('log', '--reverse', '--format=%H', `-SPROTOCOL = ${protocol}`, '--', 'bench/src/protocol.ts')
  return found.split('\n')[0] || undefined
}
