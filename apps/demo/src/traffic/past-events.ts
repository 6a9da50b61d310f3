import { v7 } from 'uuid'
import { type AppEvent, catalog } from '../catalog.ts'

// How often each type is published, beside the others' 1.
const OFTEN: Readonly<Record<string, number>> = {
  'message.posted': 10,
  'reaction.added': 6,
  'reply.posted': 5,
  'direct_message.sent': 4,
  'receipt.made': 4,
  'command.run': 2,
  'file.added': 2,
  'member.added': 2,
}

// Those of a workspace: the others are published for the operator.
const TYPES = (Object.keys(catalog.events) as AppEvent['type'][])
  .filter((type) => !/^(workspace|api_key)\./.test(type))
  .flatMap((type) => Array.from({ length: OFTEN[type] ?? 1 }, () => type))

const TEXTS = [
  'The van is at gate 4.',
  'Who has the keys to the archive?',
  'Numbers are in the sheet.',
  'Can we move it to Thursday?',
  'Done.',
  'The printer on the second floor is out of paper again.',
  'Thank you!',
  'I will be ten minutes late.',
]

export interface PastEventOptions {
  workspaceId: string
  at: number
  random: () => number
  /** @default one at random */
  type?: AppEvent['type']
}

/** An event of that time, by the example of its type. */
export function pastEvent({ workspaceId, at, random, type = pick(TYPES, random) }: PastEventOptions): AppEvent {
  const example: object = catalog.events[type].example ?? {}
  const text = 'text' in example ? { text: pick(TEXTS, random) } : {}
  const event = {
    type,
    workspaceId,
    id: `evt_${v7({ msecs: at })}`,
    timestamp: new Date(at),
    data: { ...example, workspaceId, createdAt: new Date(at).toISOString(), ...text },
  }
  // The example of its type, so the data belongs to it; the engine validates both.
  return event as AppEvent
}

function pick<T>(list: readonly T[], random: () => number): T {
  return list[Math.floor(random() * list.length)] as T
}
