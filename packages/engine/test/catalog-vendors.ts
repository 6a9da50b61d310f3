import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { defineEvents, event } from '../src/index.ts'

const example = { id: 'm1', text: ' hello ' }
const described = { description: 'A message was posted.', example }

const ofZod = z.object({ id: z.string(), text: z.string().trim(), tags: z.array(z.string()).optional() })
const ofValibot = v.object({
  id: v.string(),
  text: v.pipe(v.string(), v.trim(), v.string()),
  tags: v.optional(v.array(v.string())),
})
const ofArktype = type({ '+': 'delete', id: 'string', text: 'string.trim', 'tags?': 'string[]' })

/** The same catalog by three vendors of schemas. */
export const VENDORS = {
  zod: defineEvents({ 'message.created': event({ schema: ofZod, ...described }) }),
  valibot: defineEvents({
    'message.created': event({
      schema: ofValibot,
      // Its converter knows no `trim`.
      jsonSchema: toStandardJsonSchema(ofValibot)['~standard'].jsonSchema.output({
        target: 'draft-2020-12',
        libraryOptions: { errorMode: 'ignore' },
      }),
      ...described,
    }),
  }),
  arktype: defineEvents({ 'message.created': event({ schema: ofArktype, ...described }) }),
}
