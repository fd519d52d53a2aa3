import { declaredVerbs } from '../support/declared-routes.js'
import { fuzz, LONG_RUN } from './fuzz.js'

const reads = declaredVerbs.filter(({ verb }) => verb === 'GET')

fuzz(reads, LONG_RUN)
