import { z } from 'zod'
import { type WebhookEvent, defineEvents, event } from '../src/index.ts'

/** A type with three versions, whose middle one has the data of two labels, and one that is the same in all. */
export const catalog = defineEvents(
  {
    'message.created': event({
      schema: z.object({ id: z.string(), text: z.string(), author: z.object({ id: z.string(), name: z.string() }) }),
      description: 'A message was posted.',
      example: { id: 'm1', text: 'hello', author: { id: 'u1', name: 'Ann' } },
    })
      .olderVersion('2026-05', {
        schema: z.object({ id: z.string(), text: z.string(), authorId: z.string().min(1) }),
        convert: ({ author, ...message }) => ({ ...message, authorId: author.id }),
      })
      .olderVersion('2026-01', {
        convert({ authorId, text, id }) {
          if (text === 'throw') throw new RangeError('the text of a message')
          return { id, body: text, user: authorId }
        },
      }),
    'message.deleted': event({ schema: z.object({ id: z.string() }) }),
  },
  { versions: ['2026-01', '2026-03', '2026-05', '2026-11'] },
)

export const created = (text = 'hello', id = 'm1'): WebhookEvent => ({
  type: 'message.created',
  workspaceId: 'w1',
  data: { id, text, author: { id: 'u1', name: 'Ann' } },
})

/** The data of {@link created} by label. */
export const SENT: Record<string, object> = {
  '2026-11': { id: 'm1', text: 'hello', author: { id: 'u1', name: 'Ann' } },
  '2026-05': { id: 'm1', text: 'hello', authorId: 'u1' },
  '2026-03': { id: 'm1', text: 'hello', authorId: 'u1' },
  '2026-01': { id: 'm1', body: 'hello', user: 'u1' },
}
