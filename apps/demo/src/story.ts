// `pnpm demo`: the story on Node. `--short` is for tests.
import { nodeStage } from './stage-node.ts'
import { tellStory } from './telling.ts'

await tellStory(nodeStage({ short: process.argv.includes('--short') }))
