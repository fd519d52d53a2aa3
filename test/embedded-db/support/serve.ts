import { startEmbeddedDb } from '../../../scripts/embedded-db/index.js'

const [directory, port = '0'] = process.argv.slice(2)
if (directory === undefined) throw new Error('a directory is needed')
const { uri } = await startEmbeddedDb({ directory, port: Number(port), compactAfterBytes: 100_000 })
console.log(`db ${uri}`)
