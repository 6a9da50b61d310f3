import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, expect, it } from 'vitest'
import worker from '../../src/worker.ts'
import { openApp } from './app.ts'

const SECRET = 'a long random text'
const KEEPSEND_SECRET_KEY = 'k1:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc='

// The tables, and no operator's key.
beforeEach(async () => {
  await openApp()
  await env.DB.exec('delete from keepsend_api_keys')
})

function ask(path: string, key: string | undefined, secret?: string): Promise<Response> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const request = new Request(`https://demo.example${path}`, { method: 'POST', headers, body: '{"name":"Acme"}' })
  return worker.fetch(
    request,
    { ...env, KEEPSEND_SECRET_KEY, ...(secret !== undefined && { SETUP_SECRET: secret }) },
    createExecutionContext(),
  )
}

it('POST /setup creates the first key of the operator for the secret, and no second one', async () => {
  const made = await ask('/setup', SECRET, SECRET)
  const { key } = await made.json<{ key: string }>()
  const again = await ask('/setup', SECRET, SECRET)
  const used = await ask('/workspaces', key, SECRET)
  expect([made.status, again.status, used.status]).toEqual([201, 409, 201])
})

it('POST /setup refuses another secret, none, and any if none is set', async () => {
  const answers = [
    await ask('/setup', 'a long random texT', SECRET),
    await ask('/setup', '', SECRET),
    await ask('/setup', undefined, SECRET),
    await ask('/setup', undefined),
    await ask('/setup', 'undefined'),
    await ask('/setup', '', ''),
    await ask('/setup', undefined, ''),
  ]
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
  expect((await env.DB.prepare('select * from keepsend_api_keys').all()).results).toEqual([])
})
