// The worker of the other commit, and the requests that it understands.
//
// Packages change from one commit to the next, so a worker is built from bench sources that were written for its
// packages: those of the other commit. An older commit's worker may not understand all of this tree's requests, because
// it speaks an earlier protocol. Then the checkout gets the bench sources of the first commit that speaks this tree's
// protocol. They are older than this tree's, so closer to the packages there. If these do not work either, the next
// lower protocol is tried, down to the commit's own. Each attempt builds the worker and runs every line once, so that
// errors show before anything is measured.
import { execFileSync } from 'node:child_process'
import { buildWorker } from '../build.ts'
import { PROTOCOL } from '../protocol.ts'
import { checkOut } from './checkout.ts'
import { fileAt, git, titleOf } from './git.ts'
import type { Line } from './lines.ts'

/** The measurable part of the other commit. */
export interface There {
  workerFile: string
  lines: Line[]
  /** Names of lines that its worker does not have. */
  leftOut: string[]
  /** Which commit's bench sources the worker is built from if not its own, and which others did not work. */
  notes: string[]
}

/** Returns the commit's protocol. Throws if its files show that a comparison is impossible. */
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
      // Removes files that the other sources do not have.
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

/** The commit that introduced the protocol; undefined if no commit has yet. */
function firstToSpeak(protocol: number): string | undefined {
  const found = git('log', '--reverse', '--format=%H', `-SPROTOCOL = ${protocol}`, '--', 'bench/src/protocol.ts')
  return found.split('\n')[0] || undefined
}
