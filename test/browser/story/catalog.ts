import { defineEvents, event } from '@keepsend/engine'
import { z } from 'zod'

const at = z.iso.datetime()
const message = z.object({
  id: z.string(),
  channel: z.string(),
  author: z.string(),
  text: z.string(),
  sequence: z.int(),
})
const member = z.object({ id: z.string(), name: z.string(), role: z.enum(['owner', 'member', 'guest']) })
const file = z.object({ id: z.string(), channel: z.string(), name: z.string(), bytes: z.int() })
const createdAt = '2026-10-06T14:31:20.000Z'
const hello = { id: 'msg_81k2', channel: 'dispatch', author: 'ann', text: 'Truck 12 is at gate 4.', sequence: 48_213 }

/** The types of events of Plover, the messaging app of the story. */
export const catalog = defineEvents({
  'message.posted': event({ schema: message, description: 'A message was posted in a channel.', example: hello }),
  'message.edited': event({
    schema: message.extend({ editedAt: at }),
    description: 'A message has another text.',
    example: { ...hello, text: 'Truck 12 is at gate 5.', editedAt: createdAt },
  }),
  'message.deleted': event({
    schema: message.pick({ id: true, channel: true }),
    description: 'A message was deleted.',
    example: { id: hello.id, channel: hello.channel },
  }),
  'member.joined': event({
    schema: member,
    description: 'A member joined the workspace.',
    example: { id: 'bob', name: 'Bob', role: 'member' },
  }),
  'file.shared': event({
    schema: file,
    description: 'A file was shared in a channel.',
    example: { id: 'file_7', channel: 'dispatch', name: 'plan.pdf', bytes: 48_213 },
  }),
  'file.added': event({ schema: file, description: 'The former name of file.shared.', deprecated: true }),
})

/** Data of the story for each type that it publishes. */
export const DATA: Readonly<Record<string, (count: number) => object>> = {
  'message.posted': (count) => ({ ...hello, id: `msg_${count.toString(36)}`, sequence: 48_000 + count }),
  'message.edited': (count) => ({
    ...hello,
    id: `msg_${count.toString(36)}`,
    text: 'Truck 12 is at gate 5.',
    editedAt: createdAt,
  }),
  'member.joined': (count) => ({ id: `member_${count}`, name: 'Bob', role: 'member' }),
  'file.shared': (count) => ({ id: `file_${count}`, channel: 'dispatch', name: 'plan.pdf', bytes: 48_213 + count }),
}
