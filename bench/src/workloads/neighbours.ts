import { KINDS, type NeighbourRound, type Waits, neighbourRound } from '../neighbours/round.ts'
import { type Scenario, scenarios } from '../neighbours/scenarios.ts'
import { inMarkdown, inOneLine, isMet } from '../report.ts'
import { type Bench, type Findings, type Row, type Target, quantile } from '../workload.ts'

const STORES = { sqlite: 'SQLite', postgres: 'Postgres' } as const
const PROCESSES = [1, 4]
// B's p95 may exceed its value without A by this much, whatever the factor: less is noise on a shared machine.
const SLACK_MS = 50

/** B with and without a noisy A beside it: every scenario on SQLite and Postgres, by 1 and by 4 processes. */
export async function neighbours(bench: Bench): Promise<Findings> {
  const { only, store, processes, say } = bench
  const chosen = scenarios.filter(({ id }) => only === undefined || only.includes(id))
  const found: Findings = {
    title: 'neighbours: ms from the commit of an event of B until its receiver has it, without A and beside it',
    rows: [],
    targets: [],
    missing: {},
    markdown: [],
  }
  for (const where of store === undefined ? (['sqlite', 'postgres'] as const) : [store]) {
    for (const count of processes === undefined ? PROCESSES : [processes]) {
      const place = `${STORES[where]}, ${count} ${count === 1 ? 'process' : 'processes'}`
      const cells: string[][] = []
      for (const scenario of chosen) {
        for (const noisy of scenario.noisy) {
          const title = scenario.noisy.length === 1 ? scenario.title : `${scenario.title}; ${noisy} × A`
          const name = `${place}, ${scenario.id}: ${title}`
          try {
            const round = await neighbourRound(bench, { scenario, noisy, store: where, processes: count })
            for (const { kind } of KINDS) {
              const row = { name: `${name}; B answers ${kind}`, figures: figuresOf(round, round.waits[kind]) }
              const target = targetOf(row, scenario)
              say(`  ${inOneLine(target)}`)
              found.rows.push(row)
              found.targets.push(target)
              cells.push([
                scenario.id,
                title,
                kind,
                ...Object.values(row.figures).map(inCell),
                isMet(target) ? '✓' : '✗',
              ])
            }
          } catch (error) {
            found.missing[name] = `failed: ${error instanceof Error ? error.message : String(error)}`
            found.targets.push({ what: name, found: undefined, should: { atMost: SLACK_MS } })
            say(`  ${name}: ${found.missing[name]}`)
          }
        }
      }
      const [first] = found.rows
      const columns = ['', 'A', 'B answers', ...Object.keys(first?.figures ?? {}), '']
      found.markdown?.push(`**${place}**`, '', ...inMarkdown(columns, cells), '')
    }
  }
  return found
}

function figuresOf({ alone, beside }: NeighbourRound, { without, beside: waits }: Waits) {
  return {
    'p50 without': quantile(without, 0.5),
    'p95 without': quantile(without, 0.95),
    'p50 with': quantile(waits, 0.5),
    'p95 with': quantile(waits, 0.95),
    'longest with': Math.max(...waits),
    'received %': (100 * waits.filter(Number.isFinite).length) / waits.length,
    'A alone /s': alone,
    'A with B /s': beside,
  }
}

/** An event that was never received has an infinite wait, so a target that is met also says that all were received. */
function targetOf({ name, figures }: Row & { figures: ReturnType<typeof figuresOf> }, scenario: Scenario): Target {
  const { factor = 1.2, longestMs } = scenario
  const without = figures['p95 without']
  const received = figures['received %'] === 100
  const beside = longestMs === undefined ? figures['p95 with'] : figures['longest with']
  const atMost = longestMs ?? Math.round(Math.max(without * factor, without + SLACK_MS))
  const what = `${name}, ${longestMs === undefined ? 'p95' : 'the longest wait'}, all received`
  // Without A all events must be received, or there is nothing to compare with.
  if (!Number.isFinite(without)) return { what, found: undefined, should: { atMost: 0 } }
  return { what, found: received ? beside : Number.POSITIVE_INFINITY, should: { atMost } }
}

function inCell(figure: number): string {
  if (Number.isNaN(figure)) return ''
  return Number.isFinite(figure) ? String(Math.round(figure)) : '∞'
}
