// A user's suite under node:test. Its last test fails on purpose.
import { test } from 'node:test'
import { createTestEngine } from '@keepsend/testing'
import { assertPublished } from '@keepsend/testing/node'

const event = { type: 'message.created', workspaceId: 'w1', data: { text: 'hi' } }

void test('passes', async () => {
  await using engine = await createTestEngine()
  await engine.publish(event)
  await assertPublished(engine, 'message.created', { text: 'hi' })
})

void test('fails', async () => {
  await using engine = await createTestEngine()
  await engine.publish(event)
  await assertPublished(engine, 'message.created', { text: 'bye' })
})
