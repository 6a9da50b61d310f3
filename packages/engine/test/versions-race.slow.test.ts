// The version of an endpoint that another process changes between the look of a publisher and its commit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { SENT, catalog, created } from './catalog-versions.ts'
import { openFile, temporaryFile } from './database.ts'
import { rig } from './rig.ts'

const ROUNDS = 200

it('sends each of 200 events in the version that its endpoint had at the commit, whichever the publisher knew', async () => {
  const path = temporaryFile()
  const { database } = openFile(path)
  const made = await rig({ on: database, secrets: 'plaintext-for-development', catalog })
  const { id } = await made.addEndpoint({ eventVersion: '2026-01', filter: { 'data.text': 'hello' } })
  await made.exec('create table versions_of_commits (n integer not null, version text not null)')
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('version-change-process.ts', import.meta.url)), path, id],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')

  let unconverted = 0
  for (let n = 0; n < ROUNDS; n++) {
    await made.engine.commit({
      writes: [
        {
          sql: 'insert into versions_of_commits (n, version) select ?, event_version from keepsend_endpoints where id = ?',
          params: [n, id],
        },
      ],
      events: [created('hello', `m${n}`)],
    })
    if (n % 50 === 49) {
      unconverted += (await made.rows()).filter(({ convertTo }) => convertTo !== null).length
      await made.work()
    }
  }
  const ended = once(child, 'exit')
  child.stdin.end()
  expect(await ended).toEqual([0, null])

  const commits = await made.select('select n, version from versions_of_commits order by n')
  // In the oldest version `text` has another name, so the filter does not match.
  const expected = commits
    .filter(({ version }) => version === '2026-05')
    .map(({ n }) => ['2026-05', { ...SENT['2026-05'], id: `m${String(n)}` }])
  const sent = made.sender.requests.map(({ headers, body }) => [
    headers['webhook-version'],
    (JSON.parse(body) as { data: unknown }).data,
  ])
  const inOrder = (list: unknown[]) => list.map((one) => JSON.stringify(one)).toSorted()
  expect(inOrder(sent)).toEqual(inOrder(expected))
  expect(new Set(commits.map(({ version }) => version)).size).toBe(2)
  // Both ways were taken: copies of the publisher, and payloads that the worker converted.
  expect(unconverted).toBeGreaterThan(0)
  expect(unconverted).toBeLessThan(ROUNDS)
})
