import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { newSecret } from '@keepsend/engine'
import { Webhook } from 'standardwebhooks'
import { expect, it, onTestFinished } from 'vitest'

const page = readFileSync(new URL('../../../docs/receiving.md', import.meta.url), 'utf8')
const example = /```ts\n(\/\/ example\.ts\n[^]*?)```/.exec(page)?.[1] ?? ''

it('the receiver of docs/receiving.md verifies, processes an event once and answers a repeat with 204', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-receiving-'))
  const secret = newSecret()
  const receiver = spawn(process.execPath, ['--input-type=module-typescript', '--eval', example], {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, WEBHOOK_SECRET: secret, RECEIVER_DB: join(folder, 'receiver.db'), PORT: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(receiver, 'exit')
  onTestFinished(async () => {
    receiver.kill()
    await ended
    rmSync(folder, { recursive: true })
  })
  const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]()
  const said = async (): Promise<string> => String((await lines.next()).value)
  const port = /^listening on (\d+)$/.exec(await said())?.[1]

  const body = JSON.stringify({ type: 'message.created', data: { id: 'm1', text: 'hello' } })
  const post = async (id: string, signed = body): Promise<number> => {
    const now = new Date()
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, now, signed),
    }
    return (await fetch(`http://127.0.0.1:${port}/hooks`, { method: 'POST', headers, body })).status
  }
  expect([await post('evt_1'), await said()]).toEqual([204, 'taken'])
  expect([await post('evt_1'), await said()]).toEqual([204, 'repeat'])
  expect(await post('evt_2', 'another body')).toBe(400)
  // The work fails because the message exists already, and the id is rolled back with it.
  expect([await post('evt_3'), await post('evt_3')]).toEqual([500, 500])
}, 30_000)
