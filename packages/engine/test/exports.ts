import type { Engine, ExportOptions } from '../src/index.ts'
import { rig } from './rig.ts'

/** A line of an export, as a reader parses it. */
export type Line = Record<string, unknown> & { kind: string }

/** The lines of an export; of a call that ends early, those of the calls that continue it too. */
export async function linesOf(engine: Pick<Engine, 'export'>, workspaceId: string, options: ExportOptions = {}) {
  const lines: Line[] = []
  for (let { after } = options; ;) {
    for await (const line of engine.export(workspaceId, { ...options, after })) lines.push(JSON.parse(line) as Line)
    const last = lines.at(-1)
    if (last?.kind === 'end') return lines
    if (last?.kind !== 'cursor' || last['after'] === after)
      throw new Error(`the export ended at ${JSON.stringify(last)}`)
    after = String(last['after'])
  }
}

/** The rows of one kind, without the kind. */
export function rowsOf(lines: readonly Line[], kind: string): Record<string, unknown>[] {
  return lines.filter((line) => line.kind === kind).map(({ kind: _, ...row }) => row)
}

/** Workspaces with rows in every table that has rows of a workspace. */
export async function fullWorld(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({
    history: { search: ['data.of'], responses: 'all' },
    answer: ({ url }) => (url.includes('refuses') ? { status: 400, body: `refused by ${url}` } : 200),
    ...options,
  })
  const { engine } = made
  const secrets: string[] = []
  for (const workspaceId of ['w1', 'w2']) {
    const token = `token-of-${workspaceId}`
    const header = `header-of-${workspaceId}`
    const { secret } = await made.addEndpoint({
      workspaceId,
      url: `https://takes-${workspaceId}.example.com/`,
      auth: { type: 'bearer', token },
      headers: { 'x-team': header },
      filter: { 'data.of': workspaceId },
    })
    const refusing = await made.addEndpoint({ workspaceId, url: `https://refuses-${workspaceId}.example.com/` })
    const paused = await made.addEndpoint({ workspaceId, url: `https://paused-${workspaceId}.example.com/` })
    await engine.endpoints.pause(workspaceId, paused.id, { forMs: 3_600_000 })
    const { key } = await engine.apiKeys.create({ workspaceId, name: `key of ${workspaceId}` })
    const { token: linkToken } = await engine.portalLinks.create(workspaceId, { subject: `of ${workspaceId}` })
    await engine.workspaces.setRetention(workspaceId, { attemptsMs: 3_600_000 })
    for (let n = 0; n < 3; n++) await engine.publish({ type: 'a', workspaceId, data: { of: workspaceId, n } })
    await made.work({ limit: 1000 })
    await engine.commit({
      writes: [],
      events: [{ type: 'b', workspaceId, data: { of: workspaceId } }],
      idempotencyKey: { workspaceId, method: 'POST', route: '/', key: 'k', body: '{}' },
    })
    await engine.replays.create(workspaceId, { what: 'failed', endpointId: refusing.id })
    secrets.push(secret, token, header, key, linkToken)
  }
  return { ...made, secrets }
}
