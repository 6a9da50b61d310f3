// An export of a real server: the example of the docs runs, and a client that reads no more ends the reads.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { silentLogger } from '@keepsend/engine'
import { toSql } from '@keepsend/outbox'
import { expect, it, onTestFinished } from 'vitest'
import { createNodeServer } from '../src/index.ts'
import { runDocsExample } from './docs-example.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

it('the example of docs/export.md runs unchanged, and its export is whole', { timeout: PATIENCE_MS }, async () => {
  const stdout = await runDocsExample('export', { 'app.db': temporaryFile(), 'w1.ndjson': `${temporaryFile()}.ndjson` })
  expect(stdout.replaceAll(/\s/g, '')).toBe(
    '{workspace:0,endpoint:1,api_key:0,portal_link:0,delivery:1,event:1,attempt:0,problem:0,replay:0,audit:2}',
  )
})

it(
  'an export whose client stops reading stops too, and ends when the client goes away',
  { timeout: PATIENCE_MS },
  async () => {
    const lines: string[] = []
    const server = await createNodeServer({
      file: temporaryFile(),
      port: 0,
      secrets: 'plaintext-for-development',
      engine: { logger: { ...silentLogger, info: (_, message) => void lines.push(message) } },
    })
    onTestFinished(() => server.stop())
    const { engine } = server
    // 400 pages, 40 MB.
    await engine.db.run({
      sql: `
      insert into pending_events (id, workspace_id, event_type, endpoint_id, status, created_at, completed_at, last_error, payload)
      with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 20000)
      select printf('evt_01910000-0000-7000-8000-%012d.ep_1', n), 'w1', 'a', 'ep_1', 'failed', 1, 9000000000000, 'HTTP 400',
        printf('%.*c', 2000, 'x') from numbers`,
      params: [],
    })
    const { key } = await engine.apiKeys.create({ workspaceId: 'ops', scopes: ['workspaces:export'] })
    let pages = 0
    const run = engine.db.run.bind(engine.db)
    engine.db.run = (statement) => {
      if (toSql(statement, 'sqlite').sql.includes('reached')) pages++
      return run(statement)
    }
    const settled = async (): Promise<void> => {
      let before = -1
      await expect.poll(() => before === (before = pages), { interval: 200, timeout: 10_000 }).toBe(true)
    }
    const sent = request(`${server.url}/webhooks/workspaces/w1/export`, {
      headers: { authorization: `Bearer ${key}` },
    }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(200)
    await once(answer, 'readable')
    await settled()
    const held = pages
    expect(held).toBeGreaterThan(0)
    expect(held).toBeLessThan(300)
    answer.destroy()
    await once(answer, 'close')
    await settled()
    expect(pages - held).toBeLessThan(5)
    expect(lines).not.toContain('exported a workspace')
  },
)
