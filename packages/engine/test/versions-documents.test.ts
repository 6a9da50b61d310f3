// What receivers can read of the versions of a catalog.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Ajv from 'ajv'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, it } from 'vitest'
import { eventDeclarations } from '../src/index.ts'
import { SENT, catalog } from './catalog-versions.ts'
import { temporaryFile } from './database.ts'
import { api, documentOf, read } from './routes.ts'
import { rig } from './rig.ts'

it('GET /event-types shows the data of each version, by its labels', async () => {
  const { call } = await api({ catalog })
  const { body } = await read(call('GET', '/event-types'))
  const author = { type: 'object', properties: { id: { type: 'string' } } }
  expect(body).toMatchObject({
    data: [
      {
        type: 'message.created',
        example: SENT['2026-11'],
        versions: [
          { labels: ['2026-11'], example: SENT['2026-11'], jsonSchema: { properties: { author } } },
          {
            labels: ['2026-05', '2026-03'],
            example: SENT['2026-05'],
            jsonSchema: { properties: { authorId: { type: 'string' } } },
          },
          { labels: ['2026-01'], example: SENT['2026-01'], jsonSchema: null },
        ],
      },
      { type: 'message.deleted', versions: [{ labels: ['2026-11', '2026-05', '2026-03', '2026-01'] }] },
    ],
  })
})

it('the OpenAPI document has the data of each version, and the header that names it', async () => {
  const document = await documentOf(await rig({ catalog }))
  const post = document.webhooks?.['message.created']?.['post'] as unknown as {
    parameters: { name: string; schema: object }[]
    requestBody: { content: Record<string, { schema: { properties: { data: { anyOf: { $ref: string }[] } } } }> }
  }
  expect(post.parameters.at(-1)).toMatchObject({
    name: 'webhook-version',
    schema: { enum: ['2026-11', '2026-05', '2026-03', '2026-01'] },
  })
  const { anyOf } = post.requestBody.content['application/json']?.schema.properties.data ?? { anyOf: [] }
  expect(anyOf.map(({ $ref }) => $ref.slice('#/components/schemas/'.length))).toEqual([
    'data.message.created',
    'data.message.created.2026-05',
    'data.message.created.2026-01',
  ])
  const ajv = addFormats.default(new Ajv2020.default({ strict: false }))
  ajv.addSchema(document, 'openapi')
  const check = (name: string, value: unknown) => ajv.validate({ $ref: `openapi#/components/schemas/${name}` }, value)
  expect(check('data.message.created.2026-05', SENT['2026-05'])).toBe(true)
  expect(check('data.message.created.2026-05', SENT['2026-11'])).toBe(false)
})

it('the AsyncAPI document is valid, with the data of each version', async () => {
  const { engine } = await rig({ catalog })
  const document = (await (await engine.routes.request('/asyncapi.json')).json()) as {
    components: { messages: Record<string, { payload: { properties: { data: { anyOf: object[] } } } }> }
  }
  const official = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object
  const ajv = addFormats.default(new Ajv.default({ strict: false, allErrors: true, logger: false }))
  ajv.validate(official, document)
  expect(ajv.errors).toBeNull()
  expect(document.components.messages['message.created']?.payload.properties.data.anyOf).toMatchObject([
    { title: 'In version 2026-11' },
    { title: 'In version 2026-05, 2026-03', properties: { authorId: { type: 'string' } } },
    { title: 'In version 2026-01' },
  ])
})

it('eventDeclarations has the types of each version, which a receiver compiles with', () => {
  const file = temporaryFile('events.d.ts')
  writeFileSync(file, eventDeclarations(catalog))
  writeFileSync(
    join(dirname(file), 'receiver.ts'),
    `import type { EventVersions, VersionedEvent } from './events.d.ts'
    declare const event: VersionedEvent<'2026-05'>
    if (event.type === 'message.created') {
      const text: string = event.data.authorId
      // @ts-expect-error a field of a newer version
      const newer: string = event.data.author
      void [text, newer]
    }
    if (event.type === 'message.deleted') {
      const id: string = event.data.id
      void id
    }
    const first: unknown = {} as EventVersions['2026-01']['message.created']
    // @ts-expect-error a version that does not exist
    declare const other: VersionedEvent<'2025-01'>
    void [first, other]
    `,
  )
  const tsc = join(fileURLToPath(new URL('../../..', import.meta.url)), 'node_modules', '.bin', 'tsc')
  const flags = [
    '--noEmit',
    '--strict',
    '--allowImportingTsExtensions',
    '--types',
    '',
    '--lib',
    'es2024',
    'receiver.ts',
  ]
  const { stdout } = spawnSync(tsc, flags, { cwd: dirname(file), encoding: 'utf8' })
  expect(stdout).toBe('')
}, 60_000)
