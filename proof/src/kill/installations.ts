import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PostgresServer } from '../../../scripts/postgres-server.ts'
import { MUTANTS, type Mutant } from './app.ts'
import type { Bundles } from '../bundle.ts'
import { type Tally, sum } from './compare.ts'
import type { Processes } from './processes.ts'
import { CONCURRENCY, type RoundOptions, SETTLE_BATCH, runRound } from './round.ts'
import { postgresStore, sqliteStore } from './store.ts'
import { runWorkerRound } from './worker-round.ts'

/** One kind of installation. Its rounds run one after the other, beside those of the other kinds. */
export interface Installation {
  name: string
  /** Its share of all kills. */
  share: number
  /** Kills in one round, after which a new installation starts: the parent remembers every event of a round. */
  atMost: number
  /** The most deliveries that one kill may repeat: those that can be in flight. */
  bound: number
  /** Whether a row in flight has a claim, so that their number can be read and compared with the bound. */
  claims: boolean
  run(round: Round): Promise<Tally>
}

/** Options of every round. */
export type Round = Omit<RoundOptions, 'apps' | 'store'>

// Twice, because the slots of an endpoint that was fast and then stopped responding are lent to others.
const IN_FLIGHT = 2 * CONCURRENCY + SETTLE_BATCH
// A batch of the local queue, which has one consumer.
const WORKER_BATCH = 10

export function installationsOn(postgres: PostgresServer): Installation[] {
  return [
    {
      name: 'SQLite, one app',
      share: 0.38,
      atMost: 40,
      bound: IN_FLIGHT,
      claims: true,
      run: (round) => runRound({ ...round, apps: 1, store: sqliteStore(round.folder) }),
    },
    {
      name: 'SQLite, two apps',
      share: 0.32,
      atMost: 40,
      bound: 2 * IN_FLIGHT,
      claims: true,
      run: (round) => runRound({ ...round, apps: 2, store: sqliteStore(round.folder) }),
    },
    {
      name: 'Postgres, two apps',
      share: 0.24,
      atMost: 40,
      bound: 2 * IN_FLIGHT,
      claims: true,
      run: async (round) =>
        runRound({ ...round, apps: 2, store: await postgresStore(postgres, `round_${round.seed}`) }),
    },
    {
      name: 'wrangler dev',
      share: 0.06,
      atMost: 6,
      bound: WORKER_BATCH,
      claims: false,
      run: (round) => runWorkerRound(round),
    },
  ]
}

/** Kills of each installation, which add up to `kills`. */
export function divide(kills: number, installations: readonly Installation[]): number[] {
  const parts = installations.map(({ share }) => Math.floor(kills * share))
  const rest = kills - parts.reduce((all, part) => all + part, 0)
  return parts.map((part, index) => (index === 0 ? part + rest : part))
}

/** Runs the rounds of an installation. A round's seed is printed when it begins, and is enough to repeat it. */
export async function runInstallation(
  installation: Installation,
  kills: number,
  common: {
    seed: number
    folder: string
    bundles: Bundles<'app' | 'receiver'>
    processes: Processes
    onKill(): void
    onRound(line: string): void
  },
): Promise<Tally> {
  const tallies: Tally[] = []
  for (let done = 0; done < kills; done += installation.atMost) {
    const seed = common.seed + tallies.length * 1000
    const tally = await inFolder(common.folder, `${installation.name.replaceAll(/\W+/g, '-')}-${seed}`, (folder) =>
      installation.run({ ...common, seed, folder, kills: Math.min(installation.atMost, kills - done) }),
    )
    tallies.push(tally)
    common.onRound(`${installation.name}, seed ${seed}: ${tally.kills} kills, ${tally.ok} ok, ${tally.lost} lost`)
  }
  return sum(tallies)
}

/** Runs each mutant in a short round on SQLite; returns its losses. */
export async function runControls(
  common: Omit<Round, 'kills' | 'mutant'>,
  kills: number,
): Promise<{ mutant: Mutant; tally: Tally }[]> {
  const results: { mutant: Mutant; tally: Tally }[] = []
  for (const [index, mutant] of MUTANTS.entries()) {
    const tally = await inFolder(common.folder, `control-${index}`, (folder) =>
      runRound({ ...common, folder, kills, mutant, apps: 1, store: sqliteStore(folder) }),
    )
    results.push({ mutant, tally })
  }
  return results
}

async function inFolder<Done>(parent: string, name: string, work: (folder: string) => Promise<Done>): Promise<Done> {
  const folder = join(parent, name)
  mkdirSync(folder)
  const done = await work(folder)
  rmSync(folder, { recursive: true, force: true })
  return done
}
