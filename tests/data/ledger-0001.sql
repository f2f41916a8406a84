BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE cells (
	point TEXT NOT NULL, 
	start_ms BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (point, start_ms)
)
 WITHOUT ROWID

;
INSERT INTO "cells" VALUES('AOB-RCV-01.active_energy_import',1706713200000,X'01000214000000000002000100E803000060EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA60EA000306090C0F1215181B1E2124272A2D30333639');
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "cursors" VALUES('sqlite:readings.sqlite',3);
CREATE TABLE events (
	digest TEXT NOT NULL, 
	time_ms BIGINT NOT NULL, 
	agent TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "events" VALUES('e1d5a62fc5f7b03816ceaaf4336b93644fc47e12f93fb8b49665b6b858d20f64',1706713200000,'aoba-1','registers','clock_step','{"by_ms": 400, "event": "clock_step", "time_ms": 1706713200000}');
CREATE TABLE frames (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	stream INTEGER NOT NULL, 
	idx BIGINT NOT NULL, 
	n BIGINT NOT NULL, 
	id BLOB NOT NULL, 
	state TEXT NOT NULL, 
	point_table TEXT NOT NULL, 
	first_ms BIGINT, 
	last_ms BIGINT, 
	payload TEXT, 
	reason TEXT, 
	FOREIGN KEY(stream) REFERENCES streams (number), 
	UNIQUE (id)
);
INSERT INTO "frames" VALUES(1,1,0,5,X'96AF8F7A9A0782E899C0D217508BBC19','held','459061d0c6e31905985c071d8d73ff1e',1706713200000,1706713440000,NULL,NULL);
INSERT INTO "frames" VALUES(2,1,1,5,X'6425066AEE86BBA27294C15292C9D320','held','459061d0c6e31905985c071d8d73ff1e',1706713500000,1706713740000,NULL,NULL);
INSERT INTO "frames" VALUES(3,1,2,5,X'F3E8E6B5CAECC647A8C6CC54E694B570','held','459061d0c6e31905985c071d8d73ff1e',1706713800000,1706714040000,NULL,NULL);
INSERT INTO "frames" VALUES(4,1,3,5,X'0604F79F32085ED1B9A47AE166B03633','held','459061d0c6e31905985c071d8d73ff1e',1706714100000,1706714340000,NULL,NULL);
INSERT INTO "frames" VALUES(5,1,6,1,X'81C7D036AF87C53B6408F683D8BE6AB4','quarantined','459061d0c6e31905985c071d8d73ff1e',NULL,NULL,'[["電力','payload is not JSON: [["電力');
INSERT INTO "frames" VALUES(6,1,7,1,X'BE6A4C7709CB66AB2D6E28AB1955B994','undecoded','fddc5acd7dbff4fec1ef51205b641e03',NULL,NULL,'[[1706713740000,[[0,77]]]]','point table fddc5acd7dbff4fec1ef51205b641e03 has not come');
INSERT INTO "frames" VALUES(7,1,8,1,X'21202DB03D90A3046D92BE162027BD33','held','459061d0c6e31905985c071d8d73ff1e',NULL,NULL,NULL,NULL);
INSERT INTO "frames" VALUES(8,2,0,1,X'2CF2B34BB968C62582983A9F101ACA8B','held','bdada1fdffb10adbc6ea4b8622514c71',1706713200000,1706713200000,NULL,NULL);
CREATE TABLE fuel_lines (
	id TEXT NOT NULL, 
	site TEXT NOT NULL, 
	process TEXT NOT NULL, 
	fuel TEXT NOT NULL, 
	date TEXT NOT NULL, 
	quantity TEXT NOT NULL, 
	unit TEXT NOT NULL, 
	document TEXT NOT NULL, 
	source TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "fuel_lines" VALUES('id-1','aoba','kiln','heavy_oil_a','2024-02-01','18.25','kL','D-1','f.csv:2');
CREATE TABLE gone (
	stream INTEGER NOT NULL, 
	first BIGINT NOT NULL, 
	frames BIGINT NOT NULL, 
	readings BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	from_ms BIGINT, 
	to_ms BIGINT, 
	PRIMARY KEY (stream, first, frames, readings, reason, digest), 
	FOREIGN KEY(stream) REFERENCES streams (number)
);
INSERT INTO "gone" VALUES(1,8,1,3,'disk_full','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1706713200000,1706713200001);
INSERT INTO "gone" VALUES(1,0,2,10,'freed','50d3cd12148f5590a39c0fb39ab4fb5d',1706713200000,1706713200001);
CREATE TABLE identity (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "identity" VALUES('ledger_id','4f9a726d14002620babbe2df9cf4bf26');
CREATE TABLE lanes (
	agent TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	process TEXT, 
	sequence BIGINT NOT NULL, 
	listed TEXT NOT NULL, 
	listed_frames BIGINT NOT NULL, 
	total_readings BIGINT NOT NULL, 
	PRIMARY KEY (agent, lane)
);
INSERT INTO "lanes" VALUES('aoba-1','registers','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',3,'[["eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",4,2,10,"e5fae93a461aa75fb58a27e33a771265"]]',9,35);
CREATE TABLE point_tables (
	digest TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "point_tables" VALUES('459061d0c6e31905985c071d8d73ff1e','[{"point":"AOB-RCV-01.active_energy_import","quantity":"active_energy_import","unit":"Wh","scale":"10","resolution":"1","wrap_at":null,"side":"primary","register":"modbus 1 int64","profile":"","profile_digest":""},{"point":"AOB-KLN-01.active_energy_import","quantity":"active_energy_import","unit":"Wh","scale":"1","resolution":"1","wrap_at":null,"side":"primary","register":"modbus 1 int64","profile":"","profile_digest":""}]');
INSERT INTO "point_tables" VALUES('bdada1fdffb10adbc6ea4b8622514c71','[{"point":"AOB-RCV-01.active_power","quantity":"active_power","unit":"W","scale":"0.1","resolution":"1","wrap_at":null,"side":"primary","register":"modbus 1 int64","profile":"","profile_digest":""}]');
CREATE TABLE production_lines (
	id TEXT NOT NULL, 
	site TEXT NOT NULL, 
	product TEXT NOT NULL, 
	month TEXT NOT NULL, 
	quantity TEXT NOT NULL, 
	unit TEXT NOT NULL, 
	document TEXT NOT NULL, 
	source TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE quarantine (
	digest TEXT NOT NULL, 
	time_ms BIGINT NOT NULL, 
	source TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	raw BLOB NOT NULL, 
	times BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "quarantine" VALUES('ca5ec832a64d6efb368166af70ad5903bf631a58d88018862a695de51c340dfa',1706713200000,'seiren/v1/aoba/aoba-1/registers','message that is not of the protocol: : Invalid JSON: expected value at line 1 column 1: b''hello''',X'68656C6C6F',1);
CREATE TABLE streams (
	number INTEGER NOT NULL, 
	site TEXT NOT NULL, 
	agent TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	epoch TEXT NOT NULL, 
	frames BIGINT NOT NULL, 
	readings BIGINT NOT NULL, 
	linked BOOLEAN NOT NULL, 
	prev TEXT, 
	clean BOOLEAN NOT NULL, 
	finished BOOLEAN NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (agent, lane, epoch)
);
INSERT INTO "streams" VALUES(1,'aoba','aoba-1','registers','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',9,40,1,NULL,1,0);
INSERT INTO "streams" VALUES(2,'aoba','aoba-1','samples','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',1,0,0,NULL,0,0);
CREATE INDEX ix_fuel_lines_date ON fuel_lines (date);
CREATE INDEX ix_production_lines_month ON production_lines (month);
CREATE INDEX ix_streams_epoch ON streams (epoch);
CREATE INDEX frames_by_place ON frames (stream, idx);
CREATE INDEX frames_undecoded ON frames (point_table) WHERE state = 'undecoded';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('frames',8);
COMMIT;
