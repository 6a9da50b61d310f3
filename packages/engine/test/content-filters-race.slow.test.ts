// Filters that another process changes between the look of a publisher and its commit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { openFile, temporaryFile } from './database.ts'
import { rig } from './rig.ts'

const ROUNDS = 1000

it('sends, of a thousand events, those that match the filter of their commit, whichever the publisher knew', async () => {
  const path = temporaryFile()
  const { database } = openFile(path)
  // Filters that have changed are read again at most once a second: a millisecond of this clock.
  const monotonic = () => performance.now() * 1000
  const made = await rig({ on: database, secrets: 'plaintext-for-development', monotonic })
  const { id } = await made.addEndpoint({ filter: { 'data.channel': 'a' } })
  await made.exec('create table filters_of_commits (n integer not null, filter text not null)')
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('filter-change-process.ts', import.meta.url)), path, id],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')

  let copies = 0
  for (let n = 0; n < ROUNDS; n++) {
    await made.engine.commit({
      writes: [
        {
          sql: 'insert into filters_of_commits (n, filter) select ?, filter from keepsend_endpoints where id = ?',
          params: [n, id],
        },
      ],
      events: [{ type: 'message.created', workspaceId: 'w1', data: { n, channel: n % 3 === 0 ? 'a' : 'b' } }],
    })
    if (n % 50 === 49) {
      copies += (await made.rows()).filter(({ filter }) => filter !== null).length
      await made.work()
    }
  }
  const ended = once(child, 'exit')
  child.stdin.end()
  expect(await ended).toEqual([0, null])

  const commits = await made.select('select n, filter from filters_of_commits order by n')
  const expected = commits.flatMap(({ n, filter }) => {
    const channel = Number(n) % 3 === 0 ? 'a' : 'b'
    return filter === JSON.stringify({ 'data.channel': channel }) ? [Number(n)] : []
  })
  const sent = made.sender.requests.map(({ body }) => (JSON.parse(body) as { data: { n: number } }).data.n)
  expect(sent.toSorted((a, b) => a - b)).toEqual(expected)
  // Both ways were taken: filters that the publisher knew, and copies of those that had changed.
  expect(copies).toBeGreaterThan(0)
  expect(copies).toBeLessThan(ROUNDS)
  expect(new Set(commits.map(({ filter }) => filter)).size).toBe(2)
})
